//! Blobs from registries that lie, break off or say too little.

use oci::Descriptor;
use registry::{Error, ErrorKind};

use crate::scripted::{Raw, Received, Scripted};
use crate::support::{anonymous, basic, blob, collect, connect, content, name};

const SIZE: usize = 100_000;

async fn read(server: &Scripted, blob: &Descriptor) -> Result<Vec<u8>, Error> {
    let repository = anonymous(&server.host()).reader(&name("a"));
    collect(repository.read_blob(blob).await?).await
}

async fn head(server: &Scripted) -> Result<Option<u64>, Error> {
    let repository = anonymous(&server.host()).reader(&name("a"));
    repository.head_blob(&blob(b"12345").digest).await
}

/// The first byte a request asks for.
fn start(request: &Received) -> usize {
    let range = request.header("range");
    range.map_or(0, |range| {
        let digits = range
            .strip_prefix("bytes=")
            .and_then(|range| range.strip_suffix('-'));
        digits.unwrap().parse().unwrap()
    })
}

/// Announces all the bytes from where the request asks, and sends `count` of them.
fn part(request: &Received, count: usize) -> Raw {
    let content = content(SIZE);
    let start = start(request);
    let end = SIZE.min(start + count);
    let raw = match start {
        0 => Raw::new(200),
        _ => Raw::new(206).header("Content-Range", format!("bytes {start}-{}/{SIZE}", SIZE - 1)),
    };
    raw.header("Content-Length", SIZE - start)
        .unframed(&content[start..end])
}

fn starts(server: &Scripted) -> Vec<usize> {
    server.received().iter().map(start).collect()
}

#[tokio::test]
async fn a_read_that_breaks_off_goes_on_where_it_broke() {
    let server = Scripted::new(|request, _| part(request, 30_000)).await;
    let read = read(&server, &blob(&content(SIZE))).await.unwrap();
    assert!(read == content(SIZE));
    assert_eq!(starts(&server), [0, 30_000, 60_000, 90_000]);
    assert_eq!(server.received()[0].header("range"), None);
}

#[tokio::test]
async fn a_body_that_ends_early_without_a_length_goes_on_too() {
    let server = Scripted::new(|request, _| {
        let start = start(request);
        let raw = match start {
            0 => Raw::new(200),
            _ => Raw::new(206).header("Content-Range", format!("bytes {start}-{}/*", SIZE - 1)),
        };
        raw.unframed(&content(SIZE)[start..SIZE.min(start + 60_000)])
    })
    .await;
    assert!(read(&server, &blob(&content(SIZE))).await.unwrap() == content(SIZE));
    assert_eq!(starts(&server), [0, 60_000]);
}

#[tokio::test]
async fn a_registry_without_ranges_sends_it_all_again() {
    let server = Scripted::new(|_, before| {
        let end = if before == 0 { 70_000 } else { SIZE };
        Raw::new(200)
            .header("Content-Length", SIZE)
            .unframed(&content(SIZE)[..end])
    })
    .await;
    assert!(read(&server, &blob(&content(SIZE))).await.unwrap() == content(SIZE));
}

#[tokio::test]
async fn a_read_is_resumed_five_times_and_no_more() {
    let server = Scripted::new(|request, _| part(request, 10_000)).await;
    let error = read(&server, &blob(&content(SIZE))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(
        error
            .to_string()
            .ends_with("it ended after 60000 of 100000 bytes, resumed 5 times"),
        "{error}"
    );
    assert_eq!(starts(&server), [0, 10_000, 20_000, 30_000, 40_000, 50_000]);
}

#[tokio::test]
async fn a_front_door_that_cuts_every_long_answer_is_read_to_the_end() {
    const PIECE: usize = 1 << 20;
    let whole = content(8 * PIECE);
    let served = whole.clone();
    let server = Scripted::new(move |request, _| {
        let start = start(request);
        let raw = match start {
            0 => Raw::new(200),
            _ => Raw::new(206).header(
                "Content-Range",
                format!("bytes {start}-{}/{}", served.len() - 1, served.len()),
            ),
        };
        raw.header("Content-Length", served.len() - start)
            .unframed(&served[start..start + PIECE])
    })
    .await;
    assert!(read(&server, &blob(&whole)).await.unwrap() == whole);
    assert_eq!(starts(&server).len(), 8);
}

#[tokio::test]
async fn a_read_that_makes_no_progress_ends_too() {
    let server = Scripted::new(|request, before| part(request, if before == 0 { 10_000 } else { 0 })).await;
    let error = read(&server, &blob(&content(SIZE))).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("it ended after 10000 of 100000 bytes, resumed 5 times"),
        "{error}"
    );
}

#[tokio::test]
async fn a_part_from_elsewhere_is_refused() {
    let ranges = [
        ("bytes 0-99999/100000", "from byte 0, not from 30000"),
        ("bytes 30000-99998/99999", "it has 99999 bytes, not 100000"),
        ("bytes */100000", "from byte 0, not from 30000"),
        ("nonsense", "a part without saying which"),
    ];
    for (range, message) in ranges {
        let server = Scripted::new(move |request, before| match before {
            0 => part(request, 30_000),
            _ => Raw::new(206)
                .header("Content-Range", range)
                .header("Content-Length", 70_000)
                .unframed(&content(SIZE)[30_000..]),
        })
        .await;
        let error = read(&server, &blob(&content(SIZE))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[tokio::test]
async fn a_blob_that_is_gone_when_resumed_is_not_found() {
    let server = Scripted::new(|request, before| match before {
        0 => part(request, 10),
        _ => Raw::new(404),
    })
    .await;
    let error = read(&server, &blob(&content(SIZE))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn another_length_is_refused_before_a_byte_is_read() {
    for length in [SIZE - 1, SIZE + 1] {
        let server = Scripted::new(move |_, _| Raw::new(200).body(&vec![0; length])).await;
        let error = read(&server, &blob(&content(SIZE))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        assert!(
            error
                .to_string()
                .ends_with(&format!("it has {length} bytes, not 100000")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_or_endless_is_an_error() {
    for endless in [false, true] {
        let server = Scripted::new(move |_, _| {
            let raw = Raw::new(200).unframed(&content(SIZE + 1));
            if endless { raw.endless() } else { raw }
        })
        .await;
        let error = read(&server, &blob(&content(SIZE))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        assert!(
            error.to_string().ends_with("it has more than 100000 bytes"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_last_bytes_of_another_blob_are_not_handed_out() {
    use futures_util::StreamExt;

    let mut wrong = content(SIZE);
    wrong[0] ^= 1;
    let server = Scripted::new(move |_, _| Raw::new(200).body(&wrong)).await;
    let repository = anonymous(&server.host()).reader(&name("a"));
    let mut stream = repository.read_blob(&blob(&content(SIZE))).await.unwrap();
    let mut handed_out = 0;
    let error = loop {
        match stream.next().await.expect("the error comes before the end") {
            Ok(bytes) => handed_out += bytes.len(),
            Err(error) => break error,
        }
    };
    assert!(handed_out < SIZE, "{handed_out}");
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(error.to_string().contains("its bytes are sha256:"), "{error}");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn an_empty_blob_is_never_asked_for_by_range() {
    let server = Scripted::new(|_, _| Raw::new(200).body(b"")).await;
    assert_eq!(read(&server, &blob(b"")).await.unwrap(), b"");
    assert_eq!(server.received()[0].header("range"), None);
}

#[tokio::test]
async fn the_size_of_a_blob_is_what_head_says() {
    let server = Scripted::new(|_, _| Raw::new(200).header("Content-Length", 5)).await;
    assert_eq!(head(&server).await.unwrap(), Some(5));
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn where_head_fails_one_byte_tells_the_size() {
    for status in [401, 403, 405] {
        let server = Scripted::new(move |request, _| match request.method.as_str() {
            "HEAD" => Raw::new(status),
            _ => Raw::new(206).header("Content-Range", "bytes 0-0/5").body(b"1"),
        })
        .await;
        assert_eq!(head(&server).await.unwrap(), Some(5), "{status}");
        let requests = server.received();
        let last = requests.last().unwrap();
        assert_eq!(
            (last.method.as_str(), last.header("range")),
            ("GET", Some("bytes=0-0"))
        );
    }
    let empty = Scripted::new(|request, _| match request.method.as_str() {
        "HEAD" => Raw::new(405),
        _ => Raw::new(416).header("Content-Range", "bytes */0"),
    })
    .await;
    assert_eq!(head(&empty).await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_blob_that_must_not_be_seen_is_an_error() {
    let server = Scripted::new(|_, _| Raw::new(403)).await;
    assert_eq!(head(&server).await.unwrap_err().kind(), ErrorKind::Permission);
}

#[tokio::test]
async fn a_read_from_storage_elsewhere_goes_on_at_a_new_address_and_never_shows_the_credential() {
    let storage = Scripted::new(|request, _| part(request, 60_000)).await;
    let storage_host = storage.host();
    let server = Scripted::new(move |request, before| match request.header("authorization") {
        // A signature is good for one read.
        Some(_) => Raw::new(307).header("Location", format!("http://{storage_host}/x?sig={before}")),
        None => Raw::new(401).header("WWW-Authenticate", "Basic realm=r"),
    })
    .await;
    let repository = connect(&server.host(), basic()).reader(&name("a"));
    let stream = repository.read_blob(&blob(&content(SIZE))).await.unwrap();
    assert!(collect(stream).await.unwrap() == content(SIZE));
    let ranges: Vec<_> = server
        .received()
        .iter()
        .map(|request| request.header("range").map(str::to_owned))
        .collect();
    assert_eq!(ranges, [None, None, Some("bytes=60000-".to_owned())]);
    assert_eq!(storage.lines(), ["GET /x?sig=1", "GET /x?sig=2"]);
    assert_eq!(starts(&storage), [0, 60_000]);
    let leaked = storage.received();
    assert!(
        leaked
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}
