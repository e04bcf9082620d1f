//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use oci::Platform;

/// Plan and apply what belongs in which container registry
///
/// `plan` surveys both sides and shows what would move; `apply` moves every blob once, from registry to registry.
#[derive(Debug, Parser)]
#[command(name = "transship", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print errors alone on standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say more on standard error
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented transship.yaml
    Init(Init),
    /// Show what would change, and what it would move
    Plan(Plan),
    /// Do what a saved plan says, or plan, ask and apply
    Apply(Apply),
    /// Read a saved plan
    Show(Show),
    /// Print a saved plan as a graph
    Graph(Graph),
    /// Read every target back and name what differs
    Verify(Verify),
    /// Check the configuration without asking any registry
    Validate(Validate),
    /// Print the JSON Schema of the configuration
    Schema,
    /// Copy one artifact with its attachments to one or many places
    Copy(Copy),
    /// List the tags of a repository
    #[command(visible_aliases = ["list-tags", "ls"])]
    Tags(Tags),
    /// Print the digest that a reference stands at
    Digest(Digest),
    /// Ask a registry how it behaves, and compare that with what is built in
    Probe(Probe),
    /// Serve an OCI image layout as a registry
    Serve(Serve),
    /// Make a transship.yaml of another tool's configuration
    ImportConfig(ImportConfig),
    /// Watch plan, apply and verify at work on embedded registries
    Demo,
    /// Check a credential and keep it where docker does
    Login(Login),
    /// Forget a credential
    Logout(Logout),
    /// Print what a reference points to, with all that belongs to it
    Inspect(Inspect),
    /// Delete a tag, or a manifest by its digest
    Delete(Delete),
    /// Print completions for a shell
    Completion(Completion),
    /// Print a manual page
    Man(Man),
}

/// Where the configuration stands.
#[derive(Debug, Clone, Args)]
pub(crate) struct Configuration {
    /// Read the configuration from FILE; `-` is standard input
    #[arg(short, long, value_name = "FILE", default_value = "transship.yaml")]
    pub(crate) file: PathBuf,
}

/// Which part of the configuration is meant, and how closely it is looked at.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Narrow {
    /// Keep what matches: a mirror's name, or a source's or target's name/repository (repeatable)
    #[arg(long, value_name = "GLOB")]
    pub(crate) only: Vec<String>,

    /// Do one worker's part, I from 1 (not implemented yet)
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<String>,
}

/// How far an unchanged tag is trusted.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Trust {
    /// Override how far an unchanged tag is trusted
    #[arg(long, value_name = "HOW FAR")]
    pub(crate) check: Option<Check>,
}

/// Flags of every command that asks a registry.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Access {
    /// Read credentials from this docker or podman file, before all others
    #[arg(long, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,

    /// Send a failed request again, at most N times
    #[arg(long, value_name = "N")]
    pub(crate) retry_times: Option<u32>,
}

/// `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Write the configuration to FILE; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "transship.yaml")]
    pub(crate) file: PathBuf,
}

/// `plan`.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    #[command(flatten)]
    pub(crate) narrow: Narrow,
    #[command(flatten)]
    pub(crate) trust: Trust,
    #[command(flatten)]
    pub(crate) access: Access,

    /// Save the plan, for `transship apply PLAN`
    #[arg(short, long, value_name = "PLAN")]
    pub(crate) out: Option<PathBuf>,

    /// Exit with 2 where changes are pending
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,

    /// Print the plan in this form
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: PlanFormat,
}

/// `apply`.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// Do exactly what this saved plan says
    #[arg(value_name = "PLAN")]
    pub(crate) plan: Option<PathBuf>,

    /// Read the configuration from FILE [default: transship.yaml]; with PLAN, take the connections from it alone
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) narrow: Narrow,
    #[command(flatten)]
    pub(crate) trust: Trust,
    #[command(flatten)]
    pub(crate) access: Access,
    #[command(flatten)]
    pub(crate) run: Run,

    /// Apply without asking
    #[arg(long)]
    pub(crate) auto_approve: bool,
}

/// Flags of every command that moves bytes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Run {
    /// Write a report of the run to FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Print the outcome in this form; `json` is the report
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// Go on after a failure: this is always so
    #[arg(long)]
    pub(crate) keep_going: bool,
}

/// `show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The saved plan; `-` is standard input
    pub(crate) plan: PathBuf,

    /// Print the plan in this form
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: PlanFormat,
}

/// `graph`.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// The saved plan; `-` is standard input
    pub(crate) plan: PathBuf,

    /// Print the graph in this form
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: GraphFormat,
}

/// `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    #[command(flatten)]
    pub(crate) narrow: Narrow,
    #[command(flatten)]
    pub(crate) access: Access,

    /// Read every blob at every target and hash it again
    #[arg(long)]
    pub(crate) deep: bool,

    /// Print the outcome in this form
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// `validate`.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
}

/// `copy`.
#[derive(Debug, Args)]
pub(crate) struct Copy {
    #[arg(
        help = "Where the artifact stands: HOST/REPOSITORY[:TAG][@DIGEST], oci:PATH:TAG, oci-archive:FILE:TAG, docker-archive:FILE"
    )]
    #[arg(value_name = "SRC")]
    pub(crate) source: String,

    /// Where it goes: as SRC, but not docker-archive:FILE
    #[arg(value_name = "DST", required = true)]
    pub(crate) targets: Vec<String>,

    #[command(flatten)]
    pub(crate) access: Access,
    #[command(flatten)]
    pub(crate) run: Run,

    /// Sign in at the source
    #[arg(long, value_name = "USER[:PASSWORD]")]
    pub(crate) src_creds: Option<String>,

    /// Sign in at the targets
    #[arg(long, value_name = "USER[:PASSWORD]")]
    pub(crate) dest_creds: Option<String>,

    /// Check the source's certificate; `false` allows plain HTTP too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) src_tls_verify: Option<bool>,

    /// Check the targets' certificates; `false` allows plain HTTP too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) dest_tls_verify: Option<bool>,

    /// Copy every platform of an index: this is always so
    #[arg(short, long)]
    pub(crate) all: bool,

    /// Copy the image of one platform alone; its digest is not that of the index
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", conflicts_with = "all")]
    pub(crate) platform: Option<Platform>,

    /// Write the digest to FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) digestfile: Option<PathBuf>,

    /// Tag the copy with this too, at every DST; a whole reference is one more DST (repeatable)
    #[arg(long, value_name = "TAG")]
    pub(crate) additional_tag: Vec<String>,
}

/// How a single registry is reached.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OneRegistry {
    /// Sign in
    #[arg(long, visible_alias = "src-creds", value_name = "USER[:PASSWORD]")]
    pub(crate) creds: Option<String>,

    /// Check the certificate; `false` allows plain HTTP too
    #[arg(
        long,
        visible_alias = "src-tls-verify",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub(crate) tls_verify: Option<bool>,
}

/// `tags`.
#[derive(Debug, Args)]
pub(crate) struct Tags {
    /// The repository: HOST/REPOSITORY, oci:PATH, or an archive
    #[arg(value_name = "REPO")]
    pub(crate) repository: String,

    #[command(flatten)]
    pub(crate) access: Access,
    #[command(flatten)]
    pub(crate) one: OneRegistry,

    /// Print the tags in this form
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// `digest`.
#[derive(Debug, Args)]
pub(crate) struct Digest {
    #[arg(
        help = "What to look up: HOST/REPOSITORY[:TAG][@DIGEST], oci:PATH:TAG, oci-archive:FILE:TAG, docker-archive:FILE"
    )]
    #[arg(value_name = "REF")]
    pub(crate) reference: String,

    #[command(flatten)]
    pub(crate) access: Access,
    #[command(flatten)]
    pub(crate) one: OneRegistry,

    /// Print the digest in this form
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// `inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    #[arg(
        help = "What to look at: HOST/REPOSITORY[:TAG][@DIGEST], oci:PATH:TAG, oci-archive:FILE:TAG, docker-archive:FILE"
    )]
    #[arg(value_name = "REF")]
    pub(crate) reference: String,

    /// Print the manifest's bytes as they are
    #[arg(long)]
    pub(crate) raw: bool,

    /// Print the bytes of the image's configuration
    #[arg(long)]
    pub(crate) config: bool,

    /// Look at one platform of an index alone
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) access: Access,
    #[command(flatten)]
    pub(crate) one: OneRegistry,

    /// Print what was found in this form
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// `delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    #[arg(
        help = "What to delete: HOST/REPOSITORY:TAG, HOST/REPOSITORY@DIGEST, or the same behind oci:PATH or oci-archive:FILE"
    )]
    #[arg(value_name = "REF")]
    pub(crate) reference: String,

    #[command(flatten)]
    pub(crate) access: Access,
    #[command(flatten)]
    pub(crate) one: OneRegistry,

    /// Delete without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `login`.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The registry's host
    pub(crate) host: String,

    /// Sign in as USER; without it, a person is asked
    #[arg(short, long, value_name = "USER")]
    pub(crate) username: Option<String>,

    /// The password: better left to a question or to `--password-stdin`
    #[arg(short, long, value_name = "PASSWORD", conflicts_with = "password_stdin")]
    pub(crate) password: Option<String>,

    /// Read the password from standard input
    #[arg(long, requires = "username")]
    pub(crate) password_stdin: bool,

    /// Keep the credential in FILE, in place of docker's config.json
    #[arg(long, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,

    /// Check the certificate; `false` allows plain HTTP too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) tls_verify: Option<bool>,
}

/// `logout`.
#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// The registry's host
    pub(crate) host: String,

    /// Take the credential out of FILE, in place of docker's config.json
    #[arg(long, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,
}

/// `probe`.
#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// The repository to ask about: HOST/REPOSITORY, one that has a tag
    #[arg(value_name = "REPO")]
    pub(crate) repository: String,

    #[command(flatten)]
    pub(crate) access: Access,
    #[command(flatten)]
    pub(crate) one: OneRegistry,

    /// Open upload sessions too, and cancel them: nothing is committed
    #[arg(long)]
    pub(crate) write: bool,

    /// Print what was found in this form
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The layout's directory; it is made where there is none
    pub(crate) path: PathBuf,

    /// Listen at this address; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5000")]
    pub(crate) listen: SocketAddr,
}

/// `import-config`.
#[derive(Debug, Args)]
pub(crate) struct ImportConfig {
    /// The tool: skopeo-sync, regsync, image-syncer or dregsy
    #[arg(value_name = "FORMAT")]
    pub(crate) format: planner::import::Format,

    /// Its files; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) skopeo: SkopeoSync,
}

/// What skopeo's command line says and its file does not.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What the command line of skopeo sync said")]
pub(crate) struct SkopeoSync {
    /// Where the images go
    #[arg(long, value_name = "HOST[/PATH]")]
    pub(crate) dest: Option<String>,

    /// Keep the source's host and path below it
    #[arg(long)]
    pub(crate) scoped: bool,

    /// End every tag with this
    #[arg(long, value_name = "SUFFIX")]
    pub(crate) append_suffix: Option<String>,

    /// All platforms were copied: here they always are
    #[arg(short, long)]
    pub(crate) all: bool,

    /// Check the certificate of where the images go
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) dest_tls_verify: Option<bool>,
}

impl SkopeoSync {
    /// Returns true where any of it is said.
    pub(crate) fn says_anything(&self) -> bool {
        self.dest.is_some()
            || self.append_suffix.is_some()
            || self.dest_tls_verify.is_some()
            || self.scoped
            || self.all
    }
}

/// `completion`.
#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The command; without one, the program's own page
    pub(crate) command: Option<String>,

    /// Write every page into DIR, as `transship-COMMAND.1`
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) directory: Option<PathBuf>,
}

/// A form of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// A form of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For people
    #[default]
    Text,
    /// The whole plan, as it is saved
    Json,
    /// For a comment on a change
    Markdown,
    /// A page (not implemented yet)
    Html,
}

/// A form of a graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Graphviz
    #[default]
    Dot,
    /// For Markdown pages
    Mermaid,
}

/// How far an unchanged tag is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Check {
    /// Its digest proves its content
    Tags,
    /// Child manifests are looked for too
    Manifests,
    /// And their blobs
    Blobs,
}

impl From<Check> for planner::spec::Check {
    fn from(check: Check) -> Self {
        match check {
            Check::Tags => Self::Tags,
            Check::Manifests => Self::Manifests,
            Check::Blobs => Self::Blobs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_that_fingers_know_are_taken() {
        let line = "transship copy -a --keep-going --src-tls-verify=false --dest-tls-verify --retry-times 3 \
                    --src-creds u:p --dest-creds u --authfile a.json -q docker://a.b/c:1 d.e/f:1 g.h/i:1";
        let Command::Copy(copy) = parse(line).unwrap().command else {
            panic!("not a copy")
        };
        assert_eq!(copy.source, "docker://a.b/c:1");
        assert_eq!(copy.targets, ["d.e/f:1", "g.h/i:1"]);
        assert_eq!(
            (copy.src_tls_verify, copy.dest_tls_verify),
            (Some(false), Some(true))
        );
        assert_eq!(copy.access.retry_times, Some(3));
    }

    #[test]
    fn tags_answers_to_the_names_of_skopeo_and_crane() {
        for verb in ["tags", "list-tags", "ls"] {
            assert!(matches!(
                parse(&format!("transship {verb} a.b/c")).unwrap().command,
                Command::Tags(_)
            ));
        }
    }

    #[test]
    fn plan_reads_transship_yaml_unless_told_otherwise() {
        let Command::Plan(plan) = parse("transship plan").unwrap().command else {
            panic!("not a plan")
        };
        assert_eq!(plan.configuration.file, PathBuf::from("transship.yaml"));
        let Command::Plan(plan) = parse("transship plan -f - -o p --only a --only b")
            .unwrap()
            .command
        else {
            panic!("not a plan")
        };
        assert_eq!(plan.configuration.file, PathBuf::from("-"));
        assert_eq!(plan.narrow.only, ["a", "b"]);
    }

    #[test]
    fn a_copy_without_a_target_is_refused() {
        assert!(parse("transship copy a.b/c:1").is_err());
    }

    #[test]
    fn a_password_comes_one_way_and_from_standard_input_for_a_user() {
        assert!(parse("transship login -u u -p p host.example").is_ok());
        assert!(parse("transship login -u u -p p --password-stdin host.example").is_err());
        assert!(parse("transship login --password-stdin host.example").is_err());
    }
}
