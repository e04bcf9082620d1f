//! `transship validate` and `transship schema`.

use planner::config;

use crate::arguments::Validate;
use crate::configuration;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Checks a configuration; asks no registry and needs no secret.
///
/// # Errors
/// A configuration that can't be read or is refused (65).
pub(crate) fn run(context: &Context, arguments: &Validate) -> Result<Exit, Failure> {
    let spec = configuration::check(&arguments.configuration.file)?;
    let targets = spec
        .mirrors
        .iter()
        .flat_map(|mirror| &mirror.sources)
        .map(|source| source.targets.len());
    let text = format!(
        "The configuration is valid: {}, {}, {}.\n",
        count(spec.mirrors.len(), "mirror", "mirrors"),
        count(spec.registries.len(), "registry", "registries"),
        count(targets.sum(), "target repository", "target repositories"),
    );
    context.text(&text)?;
    configuration::warn_of_nothing(context, &spec);
    Ok(Exit::Done)
}

/// Prints the JSON Schema of the configuration.
///
/// # Errors
/// Where standard output can't be written.
pub(crate) fn schema(context: &Context) -> Result<Exit, Failure> {
    context.data(&format!("{:#}\n", config::json_schema()))?;
    Ok(Exit::Done)
}

fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {many}")
    }
}
