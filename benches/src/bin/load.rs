//! Load generator: sends chat requests to a gateway on loopback, checks every answer, prints JSON.
//!
//! - `load closed`: so many connections, each with one request at a time; with `--compare` two targets take turns in
//!   slices of 200 ms, so that what a neighbour on the machine does falls on both.
//! - `load open`: so many requests a second, whatever the answers do. Time counts from when a request was due if all
//!   connections were busy then, so that a stalled server cannot hide its queue.
//! - `load cut`: opens streams, reads some events of each, hangs up.
//!
//! Every run ends: by count or by time, and with failure when it is stuck for longer than `--grace-s` past its time.

use clap::{Args, Parser, Subcommand};
use dragoman_benches::behaviour::Behaviour;
use dragoman_benches::check::{Check, Words};
use dragoman_benches::client::Client;
use dragoman_benches::request::{Request, Shape, Target, Vary};
use dragoman_benches::tally::Tally;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

/// Load generator for the benches.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// A fixed number of connections, one request at a time on each.
    Closed {
        #[command(flatten)]
        what: What,
        /// Another target, to take turns with.
        #[arg(long)]
        compare: Option<Target>,
        /// Connections start over this long, not all at once.
        #[arg(long, default_value_t = 0)]
        ramp_ms: u64,
    },
    /// A fixed number of requests a second.
    Open {
        #[command(flatten)]
        what: What,
        #[arg(long)]
        rate: f64,
    },
    /// Streams that the client leaves.
    Cut {
        #[command(flatten)]
        what: What,
        /// Events to read before hanging up.
        #[arg(long, default_value_t = 3)]
        events: u32,
    },
}

#[derive(Args, Clone)]
struct What {
    /// Where to send, http://127.0.0.1:PORT/PATH.
    #[arg(long)]
    url: Target,
    /// Model's name: says what answer is expected.
    #[arg(long, default_value = "whole")]
    model: String,
    #[arg(long, default_value_t = 934)]
    body_bytes: usize,
    /// Which messages differ from request to request.
    #[arg(long, value_enum, default_value_t = Vary::Last)]
    vary: Vary,
    /// A header line; may be repeated.
    #[arg(long = "header")]
    headers: Vec<String>,
    #[arg(long, default_value_t = 8)]
    connections: u32,
    /// Stop after so many requests; 0 for no limit.
    #[arg(long, default_value_t = 0)]
    requests: u64,
    /// Start no request after so many seconds.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Fail when requests still run so long after that.
    #[arg(long, default_value_t = 30.0)]
    grace_s: f64,
}

impl What {
    fn behaviour(&self) -> Result<Behaviour, Box<dyn Error>> {
        Behaviour::of(&self.model).ok_or_else(|| format!("{}: no such behaviour", self.model).into())
    }

    fn request(&self, target: &Target) -> Result<Request, Box<dyn Error>> {
        let shape = Shape {
            model: self.model.clone(),
            body_bytes: self.body_bytes,
            stream: self.behaviour()?.events() > 0,
            vary: self.vary,
            headers: self.headers.clone(),
        };
        Ok(Request::new(target, &shape))
    }
}

/// What the connections of a run share.
struct Run {
    started: Instant,
    until: Instant,
    most: u64,
    issued: Cell<u64>,
}

impl Run {
    fn new(what: &What) -> Rc<Self> {
        let started = Instant::now();
        let until = started + Duration::from_secs_f64(what.seconds);
        let most = if what.requests == 0 { u64::MAX } else { what.requests };
        Rc::new(Self { started, until, most, issued: Cell::new(0) })
    }

    /// The number of the next request, if there is to be one.
    fn next(&self) -> Option<u64> {
        let number = self.issued.get();
        if number >= self.most || Instant::now() >= self.until {
            return None;
        }
        self.issued.set(number + 1);
        Some(number)
    }
}

/// One target of a run: its connections' state and what they saw.
struct Side {
    target: Target,
    request: Request,
    check: Behaviour,
    tally: Rc<RefCell<Tally>>,
}

impl Side {
    fn new(what: &What, target: &Target) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            target: target.clone(),
            request: what.request(target)?,
            check: what.behaviour()?,
            tally: Rc::default(),
        })
    }

    fn lane(&self) -> Lane {
        Lane {
            client: Client::new(self.target.address),
            request: self.request.clone(),
            check: Check::new(self.check, Words::of(&self.target.path)),
            tally: Rc::clone(&self.tally),
        }
    }
}

/// One connection of one side.
struct Lane {
    client: Client,
    request: Request,
    check: Check,
    tally: Rc<RefCell<Tally>>,
}

impl Lane {
    async fn exchange(&mut self, number: u64, late_ns: u64) {
        let request = self.request.numbered(number);
        let tally = &self.tally;
        let delay = |time_ns| tally.borrow_mut().delay(time_ns);
        let outcome = self.client.exchange(request, &mut self.check, delay).await;
        let outcome = outcome.map(|mut exchange| {
            exchange.total_ns += late_ns;
            exchange
        });
        self.tally.borrow_mut().add(outcome);
    }

    async fn cut_short(&mut self, number: u64, events: u32) {
        let outcome = self.client.cut_short(self.request.numbered(number), &mut self.check, events).await;
        self.tally.borrow_mut().add(outcome);
    }
}

const SLICE: Duration = Duration::from_millis(200);

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(LocalSet::new().run_until(run(Options::parse().mode)))?;
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

async fn run(mode: Mode) -> Result<Value, Box<dyn Error>> {
    match mode {
        Mode::Closed { what, compare: None, ramp_ms } => closed(&what, Duration::from_millis(ramp_ms)).await,
        Mode::Closed { what, compare: Some(other), .. } => compare(&what, &other).await,
        Mode::Open { what, rate } => open(&what, rate).await,
        Mode::Cut { what, events } => cut(&what, events).await,
    }
}

/// Runs the connections to their end, but not for ever.
async fn finish(what: &What, mut connections: JoinSet<()>) -> Result<(), Box<dyn Error>> {
    let most = Duration::from_secs_f64(what.seconds + what.grace_s);
    let all = async { while connections.join_next().await.is_some() {} };
    tokio::time::timeout(most, all).await.map_err(|_| "stuck: requests still run after the grace time".into())
}

fn report(side: &Side, run: &Run) -> Value {
    side.tally.take().report(run.started.elapsed().as_secs_f64())
}

async fn closed(what: &What, ramp: Duration) -> Result<Value, Box<dyn Error>> {
    let (run, side) = (Run::new(what), Side::new(what, &what.url)?);
    let mut connections = JoinSet::new();
    for place in 0..what.connections {
        let (run, mut lane) = (Rc::clone(&run), side.lane());
        let start = run.started + ramp * place / what.connections;
        connections.spawn_local(async move {
            tokio::time::sleep_until(start).await;
            while let Some(number) = run.next() {
                lane.exchange(number, 0).await;
            }
        });
    }
    finish(what, connections).await?;
    Ok(report(&side, &run))
}

async fn compare(what: &What, other: &Target) -> Result<Value, Box<dyn Error>> {
    let (run, a, b) = (Run::new(what), Side::new(what, &what.url)?, Side::new(what, other)?);
    let mut connections = JoinSet::new();
    for _ in 0..what.connections {
        let (run, mut lane_a, mut lane_b) = (Rc::clone(&run), a.lane(), b.lane());
        connections.spawn_local(async move {
            while let Some(number) = run.next() {
                let slice = run.started.elapsed().as_nanos() / SLICE.as_nanos();
                let lane = if slice.is_multiple_of(2) { &mut lane_a } else { &mut lane_b };
                lane.exchange(number, 0).await;
            }
        });
    }
    finish(what, connections).await?;
    Ok(json!({"a": report(&a, &run), "b": report(&b, &run)}))
}

async fn open(what: &What, rate: f64) -> Result<Value, Box<dyn Error>> {
    let (run, side) = (Run::new(what), Side::new(what, &what.url)?);
    let mut connections = JoinSet::new();
    for _ in 0..what.connections {
        let (run, mut lane) = (Rc::clone(&run), side.lane());
        connections.spawn_local(async move {
            while let Some(number) = run.next() {
                let due = run.started + Duration::from_secs_f64(number as f64 / rate);
                // The timer's own lateness is ours, a busy connection's is the server's.
                let late = Instant::now().saturating_duration_since(due);
                tokio::time::sleep_until(due).await;
                lane.exchange(number, u64::try_from(late.as_nanos()).unwrap_or(u64::MAX)).await;
            }
        });
    }
    finish(what, connections).await?;
    Ok(report(&side, &run))
}

async fn cut(what: &What, events: u32) -> Result<Value, Box<dyn Error>> {
    let (run, side) = (Run::new(what), Side::new(what, &what.url)?);
    let mut connections = JoinSet::new();
    for _ in 0..what.connections {
        let (run, mut lane) = (Rc::clone(&run), side.lane());
        connections.spawn_local(async move {
            while let Some(number) = run.next() {
                lane.cut_short(number, events).await;
            }
        });
    }
    finish(what, connections).await?;
    Ok(report(&side, &run))
}
