//! Serves a registry until standard input ends: `serve ADDRESS [LAYOUT]`.

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;

use transship_loopback::{Options, Registry};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().ok_or("usage: serve ADDRESS [LAYOUT]")?.parse()?;
    let options = Options {
        anonymous_mounts: true,
        ..Options::default()
    };
    let server = registry(arguments.next())?
        .with_options(options)
        .serve(address)
        .await?;
    announce(&server.host());
    tokio::task::spawn_blocking(wait_for_the_end).await??;
    server.stop().await;
    Ok(())
}

fn registry(path: Option<String>) -> Result<Registry, Failure> {
    let Some(path) = path else {
        return Ok(Registry::in_memory());
    };
    Ok(Registry::over_layout(layout::Layout::open_or_create(Path::new(
        &path,
    ))?))
}

#[expect(
    clippy::print_stdout,
    reason = "an example is a program, and this line is its interface"
)]
fn announce(host: &str) {
    println!("listening on {host}");
}

fn wait_for_the_end() -> std::io::Result<u64> {
    std::io::copy(&mut std::io::stdin().lock().by_ref(), &mut std::io::sink())
}
