//! Commands to Redis that are given up while their replies are pending (catalogue S14): nobody gets another's reply.
//!
//! The server is one that answers late, in pieces and many at once, and sometimes not at all; values say whose they are.
//! `DRAGOMAN_CANCELS` says how many commands there are.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a test may")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dragoman_core::balance::mix;
use dragoman_wire::shared::{Options, Shared};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const COMMANDS: u64 = 20_000;
const AT_ONCE: u64 = 64;
/// One of so many replies never comes, and takes the connection with it.
const LOST: u64 = 1_000;

/// Chance, by a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0) % most
    }
}

/// A command at the head of what has come, and its length; `None`: it is not whole yet.
fn command(data: &[u8]) -> Option<(Vec<String>, usize)> {
    let line = |from: usize| {
        let end = data.get(from..)?.windows(2).position(|two| two == b"\r\n")? + from;
        let number: usize = std::str::from_utf8(&data[from + 1..end]).ok()?.parse().ok()?;
        Some((number, end + 2))
    };
    let (count, mut at) = line(0)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, begin) = line(at)?;
        words.push(String::from_utf8_lossy(data.get(begin..begin + length)?).into_owned());
        at = begin + length + 2;
    }
    (at <= data.len()).then_some((words, at))
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// What a key holds: it says whose it is.
fn value_of(key: &str) -> String {
    format!("value of {key}")
}

/// What a script is called by.
fn digest_of(script: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, script.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A connection's answers; within a transaction they are kept until its end.
#[derive(Default)]
struct Talk {
    kept: Option<Vec<String>>,
}

impl Talk {
    fn answer(&mut self, words: &[String]) -> String {
        let told = match words[0].to_uppercase().as_str() {
            "MULTI" => {
                self.kept = Some(Vec::new());
                return "+OK\r\n".into();
            }
            "EXEC" => {
                let kept = self.kept.take().unwrap_or_default();
                return format!("*{}\r\n{}", kept.len(), kept.concat());
            }
            "INFO" => bulk("run_id:0123456789abcdef\r\nmaxmemory:0\r\n"),
            "TIME" => "*2\r\n$1\r\n1\r\n$1\r\n1\r\n".into(),
            "SCRIPT" => bulk(&digest_of(&words[2])),
            "GET" => bulk(&value_of(&words[1])),
            "PTTL" => ":1000\r\n".into(),
            _ => "+OK\r\n".into(),
        };
        match &mut self.kept {
            Some(kept) => {
                kept.push(told);
                "+QUEUED\r\n".into()
            }
            None => told,
        }
    }
}

/// Answers in pieces of any size, each after a while; `None`: no more of this connection.
async fn talk(mut stream: TcpStream, mut dice: Dice) -> Option<()> {
    let (mut come, mut talk) = (Vec::new(), Talk::default());
    loop {
        if stream.read_buf(&mut come).await.ok()? == 0 {
            return None;
        }
        let mut answers = String::new();
        while let Some((words, length)) = command(&come) {
            come.drain(..length);
            if words[0] == "GET" && dice.below(LOST) == 0 {
                std::future::pending::<()>().await;
            }
            answers += &talk.answer(&words);
        }
        let mut rest = answers.as_bytes();
        while !rest.is_empty() {
            let length = rest.len().min(1 + usize::try_from(dice.below(2_000)).ok()?);
            stream.write_all(&rest[..length]).await.ok()?;
            rest = &rest[length..];
            for _ in 0..dice.below(4) {
                tokio::task::yield_now().await;
            }
        }
    }
}

#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    cancelled: AtomicU64,
    failed: AtomicU64,
}

/// One command of one of two tenants, given up after a number of turns by chance.
async fn ask(shared: &Shared, number: u64, dice: &mut Dice, counts: &Counts) {
    let name = format!("tenant-{}:{number}", dice.below(2));
    let claims = dice.below(4) == 0;
    let asked = async {
        if claims {
            shared.claim(name.as_bytes(), b"mine", Duration::from_secs(1)).await.map(|(value, _)| Some(value))
        } else {
            shared.get(name.as_bytes()).await
        }
    };
    // Some wait to the end: a reply that never comes is noticed by those alone.
    let turns = if dice.below(8) == 0 { u64::MAX } else { dice.below(64) };
    let patience = async {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        answer = asked => match answer {
            Ok(value) => {
                let value = String::from_utf8(value.unwrap()).unwrap();
                assert_eq!(value, value_of(&format!("{{t}}:1:{name}")), "another's reply");
                counts.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {
                counts.failed.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        },
        () = patience => {
            counts.cancelled.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The server, and how many have connected to it.
async fn serve() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicU64::new(0));
    let accepted = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seed = accepted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(talk(stream, Dice(seed << 32)));
        }
    });
    (url, connections)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_left_gets_their_own_reply() {
    let commands: u64 = std::env::var("DRAGOMAN_CANCELS").map_or(COMMANDS, |asked| asked.parse().unwrap());
    let (url, connections) = serve().await;
    let options = Options { url, prefix: "t".into(), timeout: Duration::from_millis(50) };
    let shared = Arc::new(Shared::new(options).unwrap());
    let kept = shared.clone();
    tokio::spawn(async move { kept.keep_connected(|| ()).await });
    while !shared.is_up() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let counts = Arc::new(Counts::default());
    let ask_all = |task: u64| {
        let (shared, counts) = (shared.clone(), counts.clone());
        tokio::spawn(async move {
            let mut dice = Dice(task << 40);
            for number in (task..commands).step_by(AT_ONCE as usize) {
                ask(&shared, number, &mut dice, &counts).await;
            }
        })
    };
    let tasks: Vec<_> = (0..AT_ONCE).map(ask_all).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let [answered, cancelled, failed] =
        [&counts.answered, &counts.cancelled, &counts.failed].map(|count| count.load(Ordering::Relaxed));
    let connections = connections.load(Ordering::Relaxed);
    println!(
        "{commands} commands of two tenants: {answered} answered, {cancelled} given up, {failed} failed, over \
         {connections} connections; 0 got another's reply"
    );
    assert_eq!(answered + cancelled + failed, commands);
    assert!(answered > commands / 50 && cancelled > commands / 50, "both happen");
    assert!(connections > 1, "one whose reply did not come is not used again");
}
