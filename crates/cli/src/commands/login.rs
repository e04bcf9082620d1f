//! `transship login`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oci::Host;
use planner::RegistryName;
use planner::config::Connection;
use planner::spec::{Endpoint, Registry};
use registry::Secret;
use registry::credentials::Static;

use crate::arguments::Login;
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::credential_file::{CredentialFile, Keeper};
use crate::credentials::MAX_SECRET;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::Input;
use crate::prompt::{self, Shown};

/// Shows a credential to a registry and, where it is taken, keeps it where docker does.
///
/// # Errors
/// What is no host, and questions that nobody answers (64); a refused credential (77): nothing is written then.
pub(crate) async fn run(context: &Context, arguments: &Login) -> Result<Exit, Failure> {
    let host = host(&arguments.host)?;
    let file = CredentialFile::open(arguments.authfile.as_deref())?;
    if arguments.password.is_some() {
        context.terminal.say(
            "warning: other users of this machine can see a password on the command line; use --password-stdin",
        );
    }
    let username = username(arguments, &host)?;
    let password = password(arguments, &username)?;
    let proof = context
        .unless_interrupted(show(context, &host, &username, &password, arguments.tls_verify))
        .await??;
    if proof == Proof::None {
        context.terminal.say(&format!(
            "warning: {host} asks nobody to sign in, so nothing has told whether the password is right"
        ));
    }
    let path = file.path().display().to_string();
    let kept = match file.keep(&host, &username, &password).await? {
        Keeper::File => format!("is kept in {path}, not encrypted"),
        Keeper::Helper(name) => format!("is kept by docker-credential-{name}, which {path} names"),
    };
    context.text(&format!(
        "Login succeeded: the password of {username} at {host} {kept}.\n"
    ))?;
    Ok(Exit::Done)
}

/// Reads a host as people write it for docker: bare, or as an address of its front page.
///
/// # Errors
/// What is no host (64).
pub(super) fn host(text: &str) -> Result<Host, Failure> {
    let bare = ["https://", "http://", "docker://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .unwrap_or(text)
        .trim_end_matches('/');
    let bare = ["/v1", "/v2"]
        .iter()
        .find_map(|version| bare.strip_suffix(version))
        .unwrap_or(bare);
    if bare.contains('/') {
        return Err(
            Failure::usage(format!("`{text}` names more than a host")).hint("credentials are kept by host")
        );
    }
    if !Host::looks_like(bare) {
        let hint = "a host has a dot or a port, or is `localhost`; Docker Hub's is docker.io";
        return Err(Failure::usage(format!("`{text}` is no host")).hint(hint));
    }
    bare.parse()
        .map_err(|error| Failure::usage(format!("`{text}` is no host")).because(&error))
}

fn username(arguments: &Login, host: &Host) -> Result<String, Failure> {
    let username = match &arguments.username {
        Some(username) => username.clone(),
        None => asked(&format!("User name at {host}: "), Shown::Yes, "--username")?,
    };
    match username.trim() {
        "" => Err(Failure::usage("the user name is empty")),
        name if name.contains(':') => Err(Failure::usage("a user name has no colon: it ends there")),
        name => Ok(name.to_owned()),
    }
}

fn password(arguments: &Login, username: &str) -> Result<Secret, Failure> {
    let password = match &arguments.password {
        Some(password) => Secret::new(password.clone()),
        None if arguments.password_stdin => piped()?,
        None => Secret::new(asked(
            &format!("Password of {username}: "),
            Shown::No,
            "--password-stdin",
        )?),
    };
    // A line break at its end is the editor's, not the password's.
    match password.expose().trim_end_matches(['\r', '\n']) {
        "" => Err(Failure::usage("the password is empty")),
        text => Ok(Secret::new(text)),
    }
}

fn piped() -> Result<Secret, Failure> {
    let refuse = || Failure::usage("--password-stdin: the password can't be read");
    let bytes = Input::Standard
        .read(MAX_SECRET)
        .map_err(|error| refuse().because(&error))?;
    String::from_utf8(bytes)
        .map(Secret::new)
        .map_err(|_| refuse().hint("it is not UTF-8"))
}

fn asked(question: &str, shown: Shown, flag: &str) -> Result<String, Failure> {
    let typed = prompt::line(question, shown)
        .map_err(|error| Failure::usage("the terminal can't be read").because(&error))?;
    typed.ok_or_else(|| {
        Failure::usage("nobody can be asked: standard input is no terminal").hint(format!("give `{flag}`"))
    })
}

/// What is known of a credential that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// The registry took it.
    Taken,
    /// The registry did not ask for it.
    None,
}

/// Shows a credential to the registry.
async fn show(
    context: &Context,
    host: &Host,
    username: &str,
    password: &Secret,
    verify: Option<bool>,
) -> Result<Proof, Failure> {
    let asked = Arc::new(AtomicBool::new(false));
    let (told, password) = (Arc::clone(&asked), password.clone());
    let secret = move || {
        told.store(true, Ordering::Relaxed);
        Ok(password.clone())
    };
    let sign_in = Static::new("this command", username, Arc::new(secret));
    let manner = Manner::signing_in(sign_in, verify);
    let (name, registry) = registry_at(host)?;
    let client = connect::client(context, &name, &registry, &manner).await?;
    // To find out whether a cloud has a say, the credential was looked at; what counts is whether the registry asks for it.
    asked.store(false, Ordering::Relaxed);
    client.ping().await.map_err(|error| connect::answered(&error))?;
    Ok(match asked.load(Ordering::Relaxed) {
        true => Proof::Taken,
        false => Proof::None,
    })
}

fn registry_at(host: &Host) -> Result<(RegistryName, Registry), Failure> {
    let name = host.to_string().parse();
    let name = name.map_err(|error| Failure::usage(format!("`{host}` is no host")).because(&error))?;
    let connection = Connection {
        host: Some(host.to_string()),
        ..Connection::default()
    };
    let endpoint = Endpoint::Host(host.clone());
    Ok((name, Registry { endpoint, connection }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_written_in_many_ways() {
        for (text, expected) in [
            ("registry.example:5000", "registry.example:5000"),
            ("docker.io", "docker.io"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("https://registry.example/v2/", "registry.example"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(host(text).unwrap().as_str(), expected, "{text}");
        }
    }

    #[test]
    fn a_repository_or_a_word_is_no_host() {
        for text in ["registry.example/team", "registry", "", "a b.example"] {
            assert_eq!(host(text).unwrap_err().exit(), Exit::Usage, "{text}");
        }
    }

    fn login(username: Option<&str>, password: &str) -> Login {
        Login {
            host: "registry.example".to_owned(),
            username: username.map(str::to_owned),
            password: Some(password.to_owned()),
            password_stdin: false,
            authfile: None,
            tls_verify: None,
        }
    }

    #[test]
    fn a_user_name_that_can_not_be_kept_is_refused() {
        let host = host("registry.example").unwrap();
        assert_eq!(username(&login(Some(" u "), "p"), &host).unwrap(), "u");
        for name in ["", " ", "a:b"] {
            assert!(username(&login(Some(name), "p"), &host).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_line_break_is_no_part_of_a_password() {
        assert_eq!(password(&login(None, "p w\r\n"), "u").unwrap().expose(), "p w");
        assert!(password(&login(None, "\n"), "u").is_err());
    }
}
