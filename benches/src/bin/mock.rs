//! An OpenAI-compatible upstream that costs as little as possible: one thread, answers rendered once.
//!
//! `mock --port 0` prints `listening on 127.0.0.1:PORT`. What it answers is told by the model's name in the request
//! (see `behaviour`), on any path.

use bytes::{Buf, BytesMut};
use clap::Parser;
use dragoman_benches::behaviour::{Behaviour, closing_events, content_event, whole_body};
use dragoman_benches::clock::monotonic_ns;
use dragoman_benches::http1::{Broken, Framing, LAST_CHUNK, chunk, fill, request_head};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::Instant;

/// Mock upstream for the benches; listens on loopback.
#[derive(Parser)]
struct Options {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// What one model's name asks for, rendered.
enum Answer {
    /// Everything in one write.
    AtOnce(Vec<u8>),
    /// A write a piece, without pause.
    Pieces(Vec<Vec<u8>>),
    /// A write an event, rendered when it is due.
    Paced { pause: Duration, events: u32, closing: Vec<u8> },
}

/// Answers by what distinguishes them: the model's name, and whether usage was asked for.
type Answers = Rc<RefCell<HashMap<(Vec<u8>, bool), Rc<Answer>>>>;

const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
    cache-control: no-cache\r\nopenai-processing-ms: 9\r\nx-request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n";
const UNKNOWN: &[u8] =
    b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 68\r\n\r\n\
    {\"error\":{\"message\":\"unknown behaviour\",\"type\":\"mock\",\"code\":\"model\"}}";

fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(serve(options.port)))
}

async fn serve(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    let answers = Answers::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = Rc::clone(&answers);
        // A client that breaks off is expected: cut streams are one of the benches.
        tokio::task::spawn_local(async move { converse(stream, answers).await.ok() });
    }
}

async fn converse(mut stream: TcpStream, answers: Answers) -> Result<(), Broken> {
    let mut inbox = BytesMut::with_capacity(64 * 1024);
    loop {
        let Some((head, length)) = request(&mut stream, &mut inbox).await? else { return Ok(()) };
        let found = inbox.get(head..head + length).and_then(|body| answer(body, &answers));
        inbox.advance(head + length);
        match found.as_deref() {
            None => stream.write_all(UNKNOWN).await?,
            Some(Answer::AtOnce(bytes)) => stream.write_all(bytes).await?,
            Some(Answer::Pieces(pieces)) => {
                for piece in pieces {
                    stream.write_all(piece).await?;
                }
            }
            Some(Answer::Paced { pause, events, closing }) => {
                paced(&mut stream, *pause, *events, closing).await?
            }
        }
    }
}

/// Waits for a whole request in `inbox`: the lengths of its head and body. `None` at the connection's end.
async fn request(stream: &mut TcpStream, inbox: &mut BytesMut) -> Result<Option<(usize, usize)>, Broken> {
    loop {
        if let Some(head) = request_head(inbox)? {
            let Framing::Length(length) = head.framing else { return Err(Broken::Garbled) };
            while inbox.len() < head.bytes + length {
                if fill(stream, inbox).await? == 0 {
                    return Err(Broken::Cut);
                }
            }
            return Ok(Some((head.bytes, length)));
        }
        if fill(stream, inbox).await? == 0 {
            return Ok(None);
        }
    }
}

fn answer(body: &[u8], answers: &Answers) -> Option<Rc<Answer>> {
    let model = model(body)?;
    let with_usage = memchr::memmem::find(body, b"\"include_usage\":true").is_some();
    let key = (model.to_vec(), with_usage);
    if let Some(known) = answers.borrow().get(&key) {
        return Some(Rc::clone(known));
    }
    let rendered = Rc::new(render(Behaviour::of(std::str::from_utf8(model).ok()?)?, with_usage));
    answers.borrow_mut().insert(key, Rc::clone(&rendered));
    Some(rendered)
}

fn model(body: &[u8]) -> Option<&[u8]> {
    const FIELD: &[u8] = b"\"model\":";
    let found = memchr::memmem::find(body, FIELD)?;
    let value = body.get(found + FIELD.len()..)?.trim_ascii_start().strip_prefix(b"\"")?;
    value.get(..memchr::memchr(b'"', value)?)
}

fn render(behaviour: Behaviour, with_usage: bool) -> Answer {
    let stream = |events| {
        let content = (0..events).map(|sequence| content_event(sequence, 0));
        let mut pieces = vec![STREAM_HEAD.to_vec()];
        pieces.extend(content.chain(closing_events(events, with_usage)).map(|event| chunk(event.as_bytes())));
        pieces.push(LAST_CHUNK.to_vec());
        pieces
    };
    match behaviour {
        Behaviour::Whole => Answer::AtOnce(whole()),
        Behaviour::Burst { events } => Answer::AtOnce(stream(events).concat()),
        Behaviour::Drip { events } => Answer::Pieces(stream(events)),
        Behaviour::Paced { pause, events } => {
            let mut closing: Vec<u8> =
                closing_events(events, with_usage).iter().flat_map(|event| chunk(event.as_bytes())).collect();
            closing.extend_from_slice(LAST_CHUNK);
            Answer::Paced { pause, events, closing }
        }
    }
}

fn whole() -> Vec<u8> {
    let body = whole_body();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nopenai-processing-ms: 9\r\nx-request-id: req_bench\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

async fn paced(stream: &mut TcpStream, pause: Duration, events: u32, closing: &[u8]) -> Result<(), Broken> {
    stream.write_all(STREAM_HEAD).await?;
    let mut due = Instant::now();
    for sequence in 0..events {
        due += pause;
        tokio::time::sleep_until(due).await;
        let event = content_event(sequence, monotonic_ns());
        stream.write_all(&chunk(event.as_bytes())).await?;
    }
    Ok(stream.write_all(closing).await?)
}
