//! The commands, one file each.

mod apply;
mod completion;
mod copy;
mod delete;
mod digest;
mod form;
mod graph;
mod import_config;
mod init;
mod inspect;
mod login;
mod logout;
mod man;
mod plan;
mod probe;
mod serve;
mod show;
mod tags;
mod validate;
mod verify;

pub(crate) use apply::run as apply;
pub(crate) use plan::run as plan;
pub(crate) use verify::run as verify;

use crate::arguments::Command;
use crate::context::Context;
use crate::demo;
use crate::exit::Exit;
use crate::failure::Failure;

/// Does what the command line says.
///
/// # Errors
/// Whatever ends the command early.
pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(arguments) => init::run(context, &arguments),
        Command::Plan(arguments) => plan::run(context, &arguments).await,
        Command::Apply(arguments) => apply::run(context, &arguments).await,
        Command::Show(arguments) => show::run(context, &arguments),
        Command::Graph(arguments) => graph::run(context, &arguments),
        Command::Verify(arguments) => verify::run(context, &arguments).await,
        Command::Validate(arguments) => validate::run(context, &arguments),
        Command::Schema => validate::schema(context),
        Command::Copy(arguments) => copy::run(context, &arguments).await,
        Command::Tags(arguments) => tags::run(context, &arguments).await,
        Command::Digest(arguments) => digest::run(context, &arguments).await,
        Command::Probe(arguments) => probe::run(context, &arguments).await,
        Command::Serve(arguments) => serve::run(context, &arguments).await,
        Command::ImportConfig(arguments) => import_config::run(context, &arguments),
        Command::Demo => demo::run(context).await,
        Command::Inspect(arguments) => inspect::run(context, &arguments).await,
        Command::Delete(arguments) => delete::run(context, &arguments).await,
        Command::Login(arguments) => login::run(context, &arguments).await,
        Command::Logout(arguments) => logout::run(context, &arguments).await,
        Command::Man(arguments) => man::run(context, &arguments),
        Command::Completion(arguments) => completion::run(context, &arguments),
    }
}
