use super::*;
use crate::behaviour::{Behaviour, closing_events, content_event, whole_body};
use crate::check::Words;
use crate::http1::{LAST_CHUNK, chunk};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// Answers each connection with the next of these bytes, then closes it; returns its address.
async fn peer(answers: Vec<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 4]).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    address
}

fn whole(head: &str) -> Vec<u8> {
    [head.as_bytes(), b"\r\n\r\n", &whole_body()].concat()
}

fn stream(events: u32) -> Vec<u8> {
    let text = (0..events).map(|sequence| content_event(sequence, 1)).chain(closing_events(events, false));
    let chunks: Vec<u8> = text.flat_map(|event| chunk(event.as_bytes())).collect();
    [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".as_slice(), &chunks, LAST_CHUNK].concat()
}

async fn outcomes(behaviour: Behaviour, answers: Vec<Vec<u8>>) -> Vec<String> {
    let count = answers.len();
    let mut client = Client::new(peer(answers).await);
    let mut check = Check::new(behaviour, Words::Chat);
    let mut seen = Vec::new();
    for _ in 0..count {
        let outcome = client.exchange(b"ping", &mut check, |_| {}).await;
        seen.push(outcome.map_or_else(|failure| failure.to_string(), |_| "right".to_owned()));
        client.hang_up();
    }
    seen
}

#[tokio::test]
async fn each_way_to_end_a_body_is_read() {
    let length = whole("HTTP/1.1 200 OK\r\ncontent-length: 731");
    let to_end = whole("HTTP/1.1 200 OK\r\nconnection: close");
    assert_eq!(outcomes(Behaviour::Whole, vec![length, to_end]).await, ["right", "right"]);
    assert_eq!(outcomes(Behaviour::Burst { events: 9 }, vec![stream(9)]).await, ["right"]);
}

#[tokio::test]
async fn failures_are_told_apart() {
    let refused = whole("HTTP/1.1 503 No\r\ncontent-length: 731");
    let short = whole("HTTP/1.1 200 OK\r\ncontent-length: 900");
    let other = whole("HTTP/1.1 200 OK\r\ncontent-length: 730");
    let garbled = b"nonsense\r\n\r\n".to_vec();
    let found = outcomes(Behaviour::Whole, vec![refused, short, other, garbled, Vec::new()]).await;
    assert_eq!(found, ["status 503", "cut", "wrong body", "garbled HTTP", "cut"]);
    assert_eq!(outcomes(Behaviour::Burst { events: 9 }, vec![stream(8)]).await, ["too few events"]);
}

#[tokio::test]
async fn delays_are_handed_out_and_streams_can_be_left() {
    let mut client = Client::new(peer(vec![stream(5), stream(5)]).await);
    let mut check = Check::new(Behaviour::Burst { events: 5 }, Words::Chat);
    let mut delays = 0;
    client.exchange(b"ping", &mut check, |_| delays += 1).await.unwrap();
    assert_eq!(delays, 5);
    client.hang_up();
    client.cut_short(b"ping", &mut check, 2).await.unwrap();
    assert!(client.stream.is_none() && check.events() >= 2);
}
