//! What several processes know together, in a Redis or Valkey server.
//!
//! One connection carries all of a process's commands, each waited for no longer than [`Options::timeout`]. The first
//! that fails takes the connection away: until another one stands and takes writes, everything else fails at once, so that
//! nobody waits for a server that is not there. A command that was cut off may have been carried out all the same: whoever
//! sends one says what that means.
//!
//! All keys begin with the prefix in braces, and so are in one slot of a cluster: a single server is meant, or one with
//! replicas that take over. What is counted is kept under the *epoch*, a name that the server gives itself at each start:
//! one that comes back with what it knew a while ago, or a replica that takes over without the last writes, is another
//! epoch, which begins with nothing and is told by the database what counts.

pub mod errand;
pub mod hold;
pub mod ledger;
mod script;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisError, ScriptInvocation};
use tokio::sync::Notify;

/// What keys say of how their values are to be read.
const VERSION: u8 = 1;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const EPOCH_CHARS: usize = 12;

pub struct Options {
    pub url: String,
    /// What tells our keys from those of others.
    pub prefix: String,
    pub timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("there is no connection")]
    Down,
    #[error("{0}")]
    Failed(#[from] RedisError),
}

/// A connection, and what is known of the server at its other end.
#[derive(Clone)]
struct Line {
    number: u64,
    connection: MultiplexedConnection,
    epoch: Arc<str>,
    /// What its clock said, and when that was.
    server_ms: u64,
    told: Instant,
}

impl Line {
    fn now_ms(&self) -> u64 {
        let passed = u64::try_from(self.told.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.server_ms.saturating_add(passed)
    }
}

/// The server, as one process sees it.
pub struct Shared {
    client: Client,
    prefix: String,
    timeout: Duration,
    line: Mutex<Option<Line>>,
    /// Why there is none.
    reason: Mutex<String>,
    lost: Notify,
    lines: AtomicU64,
    failures: AtomicU64,
    evicts: AtomicBool,
}

impl Shared {
    /// Nothing is connected before [`Shared::keep_connected`] runs.
    pub fn new(options: Options) -> Result<Self, RedisError> {
        Ok(Self {
            client: Client::open(options.url)?,
            prefix: format!("{{{}}}:{VERSION}:", options.prefix),
            timeout: options.timeout,
            line: Mutex::new(None),
            reason: Mutex::new("it has not been connected to yet".into()),
            lost: Notify::new(),
            lines: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            evicts: AtomicBool::new(false),
        })
    }

    /// Connects, and again whenever the connection is lost; for ever. `on_line` is called at each.
    pub async fn keep_connected(&self, on_line: impl Fn()) {
        let mut pause = FIRST_PAUSE;
        loop {
            let lost = self.lost.notified();
            if lock(&self.line).is_some() {
                lost.await;
                continue;
            }
            match self.connect().await {
                Ok(line) => {
                    *lock(&self.line) = Some(line);
                    lock(&self.reason).clear();
                    pause = FIRST_PAUSE;
                    on_line();
                }
                Err(error) => {
                    *lock(&self.reason) = told(&error);
                    tokio::time::sleep(spread(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn connect(&self) -> Result<Line, RedisError> {
        let number = self.lines.fetch_add(1, Ordering::Relaxed);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout * 4))
            .set_response_timeout(Some(self.timeout));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let about: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
        let memory: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await?;
        let keeps = matches!(said(&memory, "maxmemory_policy:"), "noeviction" | "");
        self.evicts.store(!keeps && said(&memory, "maxmemory:") != "0", Ordering::Relaxed);
        let epoch = said(&about, "run_id:").get(..EPOCH_CHARS).ok_or_else(|| {
            RedisError::from((redis::ErrorKind::Client, "INFO does not tell the server's run_id"))
        })?;
        // One that takes no writes, as a replica does not, is none.
        let hello = format!("{}hello", self.prefix);
        redis::cmd("SET").arg(hello).arg(1).arg("PX").arg(1000).exec_async(&mut connection).await?;
        script::load_all(&mut connection).await?;
        let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(&mut connection).await?;
        Ok(Line {
            number,
            connection,
            epoch: epoch.into(),
            server_ms: seconds * 1000 + micros / 1000,
            told: Instant::now(),
        })
    }

    /// What is published on a channel, from whatever process; for ever. `on_word` is called for each, and once whenever
    /// something may have been missed.
    pub async fn listen(&self, channel: &str, on_word: impl Fn(&str)) {
        loop {
            if let Ok(mut heard) = self.client.get_async_pubsub().await
                && heard.subscribe(format!("{}{channel}", self.prefix)).await.is_ok()
            {
                on_word("");
                let mut words = heard.on_message();
                while let Some(word) = words.next().await {
                    on_word(&word.get_payload::<String>().unwrap_or_default());
                }
            }
            tokio::time::sleep(spread(LONGEST_PAUSE)).await;
        }
    }

    /// Tells all processes a word.
    pub async fn publish(&self, channel: &str, word: &str) -> Result<(), Trouble> {
        let channel = format!("{}{channel}", self.prefix);
        self.command(redis::cmd("PUBLISH").arg(channel).arg(word)).await
    }

    /// A value that was put; one of another type is an error.
    pub async fn get(&self, name: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
        self.command(redis::cmd("GET").arg(self.named(name))).await
    }

    pub async fn put(&self, name: &[u8], value: &[u8], kept: Duration) -> Result<(), Trouble> {
        self.command(redis::cmd("SET").arg(self.named(name)).arg(value).arg("PX").arg(millis(kept))).await
    }

    /// Puts a value where there is none yet: what only one process of all may have. Whose value there is then, and for
    /// how long.
    pub async fn claim(
        &self,
        name: &[u8],
        value: &[u8],
        kept: Duration,
    ) -> Result<(Vec<u8>, Duration), Trouble> {
        let named = self.named(name);
        let mut line = self.line()?;
        let mut asked = redis::pipe();
        asked.atomic();
        asked.cmd("SET").arg(&named).arg(value).arg("NX").arg("PX").arg(millis(kept)).ignore();
        asked.cmd("GET").arg(&named).cmd("PTTL").arg(&named);
        let answer: Result<(Vec<u8>, i64), _> = asked.query_async(&mut line.connection).await;
        let (found, left_ms) = answer.map_err(|error| self.failed(&line, error))?;
        Ok((found, Duration::from_millis(u64::try_from(left_ms).unwrap_or_default())))
    }

    fn named(&self, name: &[u8]) -> Vec<u8> {
        [self.prefix.as_bytes(), name].concat()
    }

    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        lock(&self.line).is_some()
    }

    /// Why it does not; empty: it does.
    pub fn reason(&self) -> String {
        lock(&self.reason).clone()
    }

    /// Whether it lets go of keys when its memory is full.
    pub fn evicts(&self) -> bool {
        self.evicts.load(Ordering::Relaxed)
    }

    /// How many commands have failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn line(&self) -> Result<Line, Trouble> {
        lock(&self.line).clone().ok_or(Trouble::Down)
    }

    async fn command<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, Trouble> {
        let mut line = self.line()?;
        let answer = command.query_async(&mut line.connection).await;
        answer.map_err(|error| self.failed(&line, error))
    }

    async fn run<T: FromRedisValue>(&self, line: &Line, script: &ScriptInvocation<'_>) -> Result<T, Trouble> {
        let answer = script.invoke_async(&mut line.connection.clone()).await;
        answer.map_err(|error| self.failed(line, error))
    }

    fn failed(&self, line: &Line, error: RedisError) -> Trouble {
        self.failures.fetch_add(1, Ordering::Relaxed);
        if is_of_the_server(&error) {
            let mut known = lock(&self.line);
            if known.as_ref().is_some_and(|known| known.number == line.number) {
                *known = None;
                *lock(&self.reason) = told(&error);
                self.lost.notify_one();
            }
        }
        Trouble::Failed(error)
    }
}

/// As the server takes times: it knows no shorter one.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Whether others would fare no better: not where a value is of another type than ours are, or makes no sense.
fn is_of_the_server(error: &RedisError) -> bool {
    !matches!(error.kind(), redis::ErrorKind::UnexpectedReturnType)
        && !matches!(error.code(), Some("WRONGTYPE" | "ERR"))
}

/// What a server says of itself.
fn said<'a>(about: &'a str, name: &str) -> &'a str {
    about.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim()
}

fn told(error: &RedisError) -> String {
    // Never the address: it may hold a password.
    error.code().map_or_else(|| error.category().to_owned(), ToOwned::to_owned)
}

/// Not all processes at the same instant.
fn spread(pause: Duration) -> Duration {
    let nanos =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    pause / 2 + pause * (nanos % 1000) / 2000
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
