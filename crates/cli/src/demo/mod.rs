//! `transship demo`: embedded registries, sample images, and the commands at work on them.

mod catalogue;
mod image;
mod seed;
mod site;
mod truth;

use std::path::PathBuf;

use jiff::Timestamp;
use planner::size;

use self::catalogue::Sample;
use self::site::Sites;
use crate::arguments::{Access, Apply, Configuration, Narrow, Plan, PlanFormat, Run, Trust, Verify};
use crate::commands;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::locks::Company;

/// The files of the story, as the commands in it name them.
const CONFIGURATION: &str = "transship.yaml";
const SAVED: &str = "plan.json";

/// Shows plan, apply and verify at work, and checks that what they say is so.
///
/// # Errors
/// Whatever does not hold.
pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
    let directory =
        tempfile::tempdir().map_err(|error| Failure::failed("make a directory").because(&error))?;
    let samples = catalogue::samples();
    let sites = site::open(&samples).await?;
    // The commands are called as they are shown, with paths that count from here.
    std::env::set_current_dir(&directory)
        .map_err(|error| Failure::failed("enter the demo's directory").because(&error))?;
    let story = Story {
        context,
        samples: &samples,
        sites: &sites,
    };
    let told = story.tell().await;
    sites.close().await;
    told.map(|()| Exit::Done)
}

struct Story<'a> {
    context: &'a Context,
    samples: &'a [Sample],
    sites: &'a Sites,
}

impl Story<'_> {
    async fn tell(&self) -> Result<(), Failure> {
        self.introduce()?;
        self.configure()?;
        self.sites.forget_requests();
        self.plan().await?;
        self.apply().await?;
        self.verify().await?;
        self.plan_again().await?;
        self.conclude().await
    }

    fn say(&self, text: &str) -> Result<(), Failure> {
        self.context.text(&format!("{text}\n"))
    }

    fn introduce(&self) -> Result<(), Failure> {
        self.say(
            "Four registries run inside this process, on ports of 127.0.0.1. `hub` holds sample images:",
        )?;
        self.say("")?;
        for sample in self.samples {
            self.say(&format!(
                "  hub/{:<14} {}",
                sample.repository,
                sample.tags().join("  ")
            ))?;
        }
        self.say("")?;
        self.say(
            "Every image is built for amd64 and arm64. All share their base layers; redis:7.4.1 has a cosign\n\
             signature and an SBOM that refers to it. `plant` is an older registry without the referrers API.",
        )
    }

    fn configure(&self) -> Result<(), Failure> {
        let text = self.sites.configuration();
        self.heading("cat transship.yaml")?;
        self.say(text.trim_end())?;
        std::fs::write(CONFIGURATION, text)
            .map_err(|error| Failure::failed("write the demo's configuration").because(&error))
    }

    async fn plan(&self) -> Result<(), Failure> {
        self.heading("transship plan --out plan.json")?;
        let plan = Plan {
            out: Some(PathBuf::from(SAVED)),
            ..plan_arguments()
        };
        expect(commands::plan(self.context, &plan).await?, Exit::Done, "plan")
    }

    async fn apply(&self) -> Result<(), Failure> {
        self.heading("transship apply plan.json")?;
        let apply = Apply {
            plan: Some(PathBuf::from(SAVED)),
            file: None,
            narrow: Narrow::default(),
            trust: Trust::default(),
            access: Access::default(),
            run: Run::default(),
            auto_approve: false,
        };
        let now = Context {
            started: Timestamp::now(),
            company: Company::Nobody,
            ..self.context.clone()
        };
        expect(commands::apply(&now, &apply).await?, Exit::Done, "apply")
    }

    async fn verify(&self) -> Result<(), Failure> {
        self.heading("transship verify --deep")?;
        let verify = Verify {
            configuration: configuration(),
            narrow: Narrow::default(),
            access: Access::default(),
            deep: true,
            format: crate::arguments::Format::Text,
        };
        // What verification reads is not what the transfer read.
        let traffic = self.sites.traffic();
        expect(
            commands::verify(self.context, &verify).await?,
            Exit::Done,
            "verify",
        )?;
        truth::each_blob_moved_once(self.samples, &traffic)?;
        Ok(())
    }

    async fn plan_again(&self) -> Result<(), Failure> {
        self.heading("transship plan --detailed-exitcode")?;
        let plan = Plan {
            detailed_exitcode: true,
            ..plan_arguments()
        };
        expect(
            commands::plan(self.context, &plan).await?,
            Exit::Done,
            "the second plan",
        )
    }

    async fn conclude(&self) -> Result<(), Failure> {
        let checked = truth::digests_agree(self.samples, self.sites).await?;
        let unique = truth::unique_bytes(self.samples);
        self.say("")?;
        self.say(&format!(
            "Held: {checked} tags and attachments stand at the targets with the digests of the source. {} of blobs\n\
             were read once each and sent once to each of {} targets; what repositories share was mounted.",
            size(unique),
            self.sites.targets().len(),
        ))
    }

    fn heading(&self, command: &str) -> Result<(), Failure> {
        self.say(&format!("\n$ {command}\n"))
    }
}

fn plan_arguments() -> Plan {
    Plan {
        configuration: configuration(),
        narrow: Narrow::default(),
        trust: Trust::default(),
        access: Access::default(),
        out: None,
        detailed_exitcode: false,
        format: PlanFormat::Text,
    }
}

fn configuration() -> Configuration {
    Configuration {
        file: PathBuf::from(CONFIGURATION),
    }
}

fn expect(found: Exit, wanted: Exit, what: &str) -> Result<(), Failure> {
    if found == wanted {
        return Ok(());
    }
    let (found, wanted) = (found.code(), wanted.code());
    Err(Failure::failed(format!(
        "{what} ended with exit code {found} where {wanted} is right"
    )))
}
