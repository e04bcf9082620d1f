//! Questions that change nothing although they are POSTed.

use std::time::Duration;

use registry::{Error, Rest, RestReply, RestRequest};

/// How often a question is put, at most.
const TRIES: u32 = 3;
/// The first delay; each further one is twice as long.
const DELAY: Duration = Duration::from_millis(500);

/// Asks for a token: again where the service or the network is at fault, for who asks twice gets one more token.
///
/// # Errors
/// No answer after all tries.
pub(crate) async fn ask(rest: &Rest, request: &RestRequest) -> Result<RestReply, Error> {
    let mut delay = DELAY;
    for _ in 1..TRIES {
        match rest.send(request).await {
            Ok(reply) if !reply.status.is_server_error() => return Ok(reply),
            Err(error) if !error.is_temporary() => return Err(error),
            Ok(_) | Err(_) => {}
        }
        tokio::time::sleep(delay).await;
        delay *= 2;
    }
    rest.send(request).await
}
