use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::front::{Bounds, Pieces};

/// Hands all that comes to the test.
struct Desk {
    came: UnboundedSender<Came>,
    patience: Mutex<Patience>,
}

impl Serves for Desk {
    fn admits(&self, head: &Head) -> Option<Patience> {
        (head.path() != "/elsewhere").then(|| *self.patience.lock().unwrap())
    }

    fn serve(self: &Arc<Self>, came: Came) {
        self.came.send(came).unwrap();
    }
}

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(60);
const PATIENT: Patience = Patience { most: LONG, grace: LONG, a_byte: Duration::ZERO };

struct Place {
    front: Arc<Front<Desk>>,
    address: SocketAddr,
    came: UnboundedReceiver<Came>,
    desk: Arc<Desk>,
    /// The server behind.
    behind: tokio::net::TcpListener,
}

async fn place(connections: usize, idle: Duration) -> Place {
    let (sender, came) = unbounded_channel();
    let desk = Arc::new(Desk { came: sender, patience: Mutex::new(PATIENT) });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let behind = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bounds = Bounds { connections, idle, head_bytes: 4096, bodies_bytes: 300_000, write: LONG };
    let there = behind.local_addr().unwrap();
    let front = Front::start(&Handle::current(), listener, desk.clone(), bounds, there).unwrap();
    Place { front, address, came, desk, behind }
}

impl Place {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn request(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn answer(came: &Came, body: &str) -> bool {
    came.door.answer(200, Lines::default(), Bytes::copy_from_slice(body.as_bytes()))
}

/// Reads up to that text.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        text.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(text).unwrap()
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text).await;
    text
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_order() {
    let mut place = place(10, LONG).await;
    let mut client = place.connect().await;
    client.write_all((request("/a", "one") + &request("/b", "two")).as_bytes()).await.unwrap();
    for (path, body) in [("/a", "one"), ("/b", "two")] {
        let came = place.came.recv().await.unwrap();
        assert_eq!((came.head.path(), came.body.clone().unwrap().as_ref()), (path, body.as_bytes()));
        assert_eq!(came.peer, client.local_addr().unwrap());
        assert!(place.came.try_recv().is_err(), "one after the other");
        assert!(answer(&came, path));
        assert!(!answer(&came, "again"));
        let text = until(&mut client, path).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("content-length: 2\r\n"), "{text}");
    }
}

#[tokio::test]
async fn a_body_may_come_in_pieces_but_not_too_late() {
    let mut place = place(10, LONG).await;
    let (mut client, text) = (place.connect().await, request("/a", "in pieces"));
    let (head, body) = text.split_at(text.len() - 9);
    client.write_all(head.as_bytes()).await.unwrap();
    for byte in body.bytes() {
        client.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let came = place.came.recv().await.unwrap();
    assert_eq!(came.body.unwrap().as_ref(), b"in pieces");
    *place.desk.patience.lock().unwrap() = Patience { most: SHORT, ..PATIENT };
    let mut late = place.connect().await;
    late.write_all(head.as_bytes()).await.unwrap();
    let came = place.came.recv().await.unwrap();
    assert_eq!(came.body, Err(Trouble::Late));
    assert!(answer(&came, "late"));
    let text = rest(&mut late).await;
    assert!(text.contains("connection: close\r\n") && text.ends_with("late"), "{text}");
}

#[tokio::test]
async fn long_bodies_are_relayed_that_there_is_no_room_for() {
    let mut place = place(10, LONG).await;
    let long = request("/a", &"x".repeat(200_000));
    let (head, body) = long.split_at(long.len() - 200_000);
    let mut first = place.connect().await;
    first.write_all(head.as_bytes()).await.unwrap();
    while place.front.coming.load(Ordering::Acquire) < 200_000 {
        tokio::task::yield_now().await;
    }
    let mut second = place.connect().await;
    second.write_all(head.as_bytes()).await.unwrap();
    let (mut behind, _) = place.behind.accept().await.unwrap();
    assert!(until(&mut behind, "\r\n\r\n").await.eq_ignore_ascii_case(head));
    place.connect().await.write_all(request("/short", "body").as_bytes()).await.unwrap();
    assert_eq!(place.came.recv().await.unwrap().head.path(), "/short");
    first.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(place.came.recv().await.unwrap().body.unwrap().len(), 200_000);
    assert_eq!(place.front.coming.load(Ordering::Acquire), 0);
}

#[tokio::test]
async fn each_byte_earns_time() {
    let patience = Patience { most: LONG, grace: Duration::from_secs(5), a_byte: Duration::from_millis(1) };
    let now = Instant::now();
    assert_eq!(patience.until(now, 2000), now + Duration::from_secs(7));
    assert_eq!(patience.until(now, usize::MAX), now + LONG);
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let mut place = place(10, LONG).await;
    for sent in [request("/a", "whole"), request("/a", "whole").replace("whole", "who")] {
        let mut client = place.connect().await;
        client.write_all(sent.as_bytes()).await.unwrap();
        let waits = sent.ends_with("whole");
        let came = if waits { Some(place.came.recv().await.unwrap()) } else { None };
        drop(client);
        let came = match came {
            Some(came) => came,
            None => place.came.recv().await.unwrap(),
        };
        assert_eq!(came.body.is_ok(), waits);
        let (heard, mut hears) = unbounded_channel();
        came.door.when_left(move || heard.send(()).unwrap());
        hears.recv().await.unwrap();
        assert!(came.door.is_left() && !answer(&came, "nobody"));
    }
}

#[tokio::test]
async fn a_stream_leaves_as_it_comes() {
    let mut place = place(10, LONG).await;
    let mut client = place.connect().await;
    for _ in 0..2 {
        client.write_all(request("/a", "").as_bytes()).await.unwrap();
        let came = place.came.recv().await.unwrap();
        let pieces = came.door.stream(200, Lines::default()).unwrap();
        let head = until(&mut client, "\r\n\r\n").await;
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        send(&pieces, "one");
        assert_eq!(until(&mut client, "one\r\n").await, "3\r\none\r\n");
        send(&pieces, "");
        send(&pieces, "two");
        send(&pieces, "three");
        drop(pieces);
        assert_eq!(until(&mut client, "0\r\n\r\n").await, "3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n");
    }
}

fn send(pieces: &Pieces, text: &str) {
    pieces.send(Bytes::copy_from_slice(text.as_bytes())).unwrap();
}

#[tokio::test]
async fn a_stream_of_declared_length_may_break_off() {
    let mut place = place(10, LONG).await;
    let mut client = place.connect().await;
    client.write_all(request("/a", "").as_bytes()).await.unwrap();
    let came = place.came.recv().await.unwrap();
    let mut lines = Lines::default();
    lines.add("content-length", "10");
    send(&came.door.stream(200, lines).unwrap(), "short");
    let text = rest(&mut client).await;
    assert!(text.contains("content-length: 10\r\n") && text.ends_with("\r\n\r\nshort"), "{text}");
}

#[tokio::test]
async fn who_leaves_within_a_stream_gets_no_more_of_it() {
    let mut place = place(10, LONG).await;
    let mut client = place.connect().await;
    client.write_all(request("/a", "").as_bytes()).await.unwrap();
    let came = place.came.recv().await.unwrap();
    let pieces = came.door.stream(200, Lines::default()).unwrap();
    drop(client);
    pieces.closed().await;
    assert!(came.door.is_left());
}

#[tokio::test]
async fn a_request_that_nobody_answers_ends_its_connection() {
    let mut place = place(10, LONG).await;
    for is_shut in [false, true] {
        let mut client = place.connect().await;
        client.write_all(request("/a", "").as_bytes()).await.unwrap();
        let came = place.came.recv().await.unwrap();
        let kept = came.door.clone();
        if is_shut {
            came.door.shut();
        }
        drop(came);
        let kept = Some(kept).filter(|_| is_shut);
        let text = rest(&mut client).await;
        assert!(text.starts_with("HTTP/1.1 500 ") && text.contains("connection: close"), "{text}");
        drop(kept);
    }
}

#[tokio::test]
async fn what_is_not_plain_goes_to_the_server_behind_as_it_came() {
    let mut place = place(10, LONG).await;
    let mut client = place.connect().await;
    client.write_all(request("/a", "one").as_bytes()).await.unwrap();
    answer(&place.came.recv().await.unwrap(), "done");
    until(&mut client, "done").await;
    let chunked = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    client.write_all(chunked.as_bytes()).await.unwrap();
    let (mut behind, seen) = place.behind.accept().await.unwrap();
    assert_eq!(until(&mut behind, "0\r\n\r\n").await, chunked);
    assert_eq!(place.front.client_of(seen), Some(client.local_addr().unwrap()));
    assert_eq!(place.front.client_of(client.local_addr().unwrap()), None);
    behind.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    until(&mut client, "\r\n\r\n").await;
    let plain = request("/a", "also relayed");
    client.write_all(plain.as_bytes()).await.unwrap();
    assert_eq!(until(&mut behind, "relayed").await, plain);
    drop(behind);
    assert_eq!(rest(&mut client).await, "");
    while place.front.client_of(seen).is_some() {
        tokio::task::yield_now().await;
    }
    assert!(place.came.try_recv().is_err());
}

#[tokio::test]
async fn who_hangs_up_on_a_relay_hangs_up_behind() {
    let place = place(10, LONG).await;
    let mut client = place.connect().await;
    client.write_all(b"GET /elsewhere HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let (mut behind, _) = place.behind.accept().await.unwrap();
    assert!(until(&mut behind, "\r\n\r\n").await.starts_with("GET /elsewhere "));
    drop(client);
    assert_eq!(rest(&mut behind).await, "");
}

#[tokio::test]
async fn idle_connections_end_in_time() {
    let place = place(10, SHORT).await;
    assert_eq!(rest(&mut place.connect().await).await, "");
}

#[tokio::test]
async fn no_more_connections_are_taken_than_there_may_be() {
    let mut place = place(1, LONG).await;
    let (first, mut second) = (place.connect().await, place.connect().await);
    second.write_all(request("/b", "").as_bytes()).await.unwrap();
    tokio::time::sleep(SHORT).await;
    assert!(place.came.try_recv().is_err());
    assert_eq!(place.front.connections(), 1);
    drop(first);
    assert_eq!(place.came.recv().await.unwrap().head.path(), "/b");
}

#[tokio::test]
async fn at_the_end_each_connection_ends_with_its_request() {
    let mut place = place(10, LONG).await;
    let (mut idle, mut busy) = (place.connect().await, place.connect().await);
    busy.write_all(request("/a", "").as_bytes()).await.unwrap();
    let came = place.came.recv().await.unwrap();
    while place.front.connections() < 2 {
        tokio::task::yield_now().await;
    }
    place.front.close();
    assert_eq!(rest(&mut idle).await, "");
    while TcpStream::connect(place.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    answer(&came, "done");
    let text = rest(&mut busy).await;
    assert!(text.contains("connection: close\r\n") && text.ends_with("done"), "{text}");
    drop(busy);
    while place.front.connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn at_the_very_end_no_body_is_waited_for() {
    let mut place = place(10, LONG).await;
    let mut client = place.connect().await;
    client.write_all(request("/a", "never whole").trim_end_matches("whole").as_bytes()).await.unwrap();
    while place.front.connections() < 1 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(SHORT).await;
    place.front.stop();
    assert_eq!(place.came.recv().await.unwrap().body, Err(Trouble::Late));
}
