//! `transship serve`.

use layout::Layout;

use crate::arguments::Serve;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Serves a layout until a signal comes.
///
/// # Errors
/// A file (64), a layout that can't be opened, an address that can't be listened at (1).
pub(crate) async fn run(context: &Context, arguments: &Serve) -> Result<Exit, Failure> {
    if arguments.path.is_file() {
        let path = arguments.path.display();
        return Err(
            Failure::usage(format!("{path} is a file; the directory of a layout is served")).hint(format!(
                "copy what is in it: transship copy oci-archive:{path}:TAG oci:DIRECTORY"
            )),
        );
    }
    let layout = Layout::open_or_create(&arguments.path).map_err(|error| {
        Failure::failed(format!("can't serve {}", arguments.path.display())).because(&error)
    })?;
    let server = loopback::Registry::over_layout(layout)
        .serve(arguments.listen)
        .await
        .map_err(|error| Failure::failed(format!("can't listen at {}", arguments.listen)).because(&error))?;
    let host = server.host();
    context.terminal.error(&format!(
        "Serving {} at {host} over plain HTTP",
        arguments.path.display()
    ));
    warn_of_strangers(context, arguments);
    context.signals.first().await;
    tokio::select! {
        () = server.stop() => {}
        _ = context.signals.second() => {}
    }
    Ok(Exit::Done)
}

fn warn_of_strangers(context: &Context, arguments: &Serve) {
    if !arguments.listen.ip().is_loopback() {
        context
            .terminal
            .error("warning: whoever reaches this address may read and write; nobody is asked to sign in");
    }
}
