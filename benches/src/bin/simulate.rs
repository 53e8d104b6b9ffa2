//! The balancer in simulation: no network, no clock, the same figures for the same seed.
//!
//! `simulate` prints tables, `simulate --json` one object. Each figure stands beside its bound; the exit code
//! is 1 when one is missed. The tests of `dragoman-core` hold the same bounds in fewer rounds.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use dragoman_core::balance::Strategy;
use dragoman_core::balance::simulation::delivery::{Delivered, Load, Try, deliver};
use dragoman_core::balance::simulation::latency::{Figures, Policy, SCENES, play};
use serde_json::{Value, json};

/// The scenes in which the bounds on latency hold; the rest are shown for what they are.
const BOUNDED_SCENES: usize = 5;
const OUTAGE_S: (f64, f64) = (60.0, 120.0);

/// The balancer in simulation.
#[derive(Parser)]
struct Options {
    /// One JSON object instead of tables.
    #[arg(long)]
    json: bool,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Twenty-step chains to send.
    #[arg(long, default_value_t = 20_000)]
    chains: u32,
}

/// A figure of a subject, and the bound that it has to keep.
struct Bounded {
    subject: String,
    what: &'static str,
    value: f64,
    bound: Bound,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
    None,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse();
    let mut figures = latency(options.seed);
    figures.extend(failing_member(options.seed));
    figures.extend(full_outage(options.seed));
    figures.extend(chains(options.seed, options.chains));
    let kept = figures.iter().all(Bounded::is_kept);
    let mut out = std::io::stdout().lock();
    if options.json {
        let rows: Vec<Value> = figures.iter().map(Bounded::row).collect();
        writeln!(out, "{}", json!({"seed": options.seed, "kept": kept, "figures": rows}))?;
    } else {
        for figures in figures.chunk_by(|one, next| one.subject == next.subject) {
            let cells: String = figures.iter().map(Bounded::cell).collect();
            let subject = figures.first().map_or("", |figure| figure.subject.as_str());
            writeln!(out, "{subject:<36}{cells}")?;
        }
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Five deployments of unlike and shifting speed.
fn latency(seed: u64) -> Vec<Bounded> {
    let mut figures = Vec::new();
    for (index, scene) in SCENES.iter().enumerate() {
        let robin = play(scene, Policy::RoundRobin, seed);
        let oracle = play(scene, Policy::Oracle, seed);
        let subject = |policy: &str| format!("{}, {policy}", scene.name);
        figures.extend(waits(&subject("round robin"), robin));
        for (policy, name) in [(Policy::Textbook, "textbook"), (Policy::Balancer, "balancer")] {
            let got = play(scene, policy, seed);
            let bounded = index < BOUNDED_SCENES && policy == Policy::Balancer;
            figures.extend(waits(&subject(name), got));
            figures.extend(compared(&subject(name), [got, robin, oracle], bounded));
        }
        figures.extend(waits(&subject("oracle"), oracle));
    }
    figures
}

fn waits(subject: &str, figures: Figures) -> [Bounded; 2] {
    [
        Bounded::new(subject, "mean ms", figures.mean_ms, Bound::None),
        Bounded::new(subject, "p99 ms", figures.p99_ms, Bound::None),
    ]
}

fn compared(subject: &str, [got, robin, oracle]: [Figures; 3], bounded: bool) -> [Bounded; 3] {
    let when = |bound: Bound| if bounded { bound } else { Bound::None };
    let (mean_cut, p99_cut) = (1.0 - got.mean_ms / robin.mean_ms, 1.0 - got.p99_ms / robin.p99_ms);
    let excess = got.mean_ms / oracle.mean_ms - 1.0;
    [
        Bounded::new(subject, "mean cut", mean_cut, when(Bound::AtLeast(0.4))),
        Bounded::new(subject, "p99 cut", p99_cut, when(Bound::AtLeast(0.4))),
        Bounded::new(subject, "over the oracle", excess, when(Bound::AtMost(0.15))),
    ]
}

/// One of five fails for a minute, and is well again.
fn failing_member(seed: u64) -> Vec<Bounded> {
    let load =
        Load { deployments: 5, chains: 6000, steps: 1, rate: 20.0, attempts: 3, strategy: Strategy::Latency };
    let (from_s, to_s) = OUTAGE_S;
    let faults = |it: Try| f64::from(u8::from(it.member == 0 && (from_s..to_s).contains(&it.at_s)));
    let it = deliver(&load, &faults, seed);
    let sent = it.sent_after_first_failure(0, from_s, to_s) as f64;
    vec![
        Bounded::new("one fails", "share before", it.share_of(0, 0.0, from_s), Bound::None),
        Bounded::new("one fails", "requests sent once known", sent, Bound::AtMost(10.0)),
        Bounded::new("one fails", "share meanwhile", it.share_of(0, from_s, to_s), Bound::None),
        Bounded::new("one fails", "share after", it.share_of(0, to_s + 60.0, 300.0), Bound::AtLeast(0.1)),
        Bounded::new("one fails", "requests lost", it.requests_failed as f64, Bound::AtMost(0.0)),
    ]
}

/// All fail for a minute.
fn full_outage(seed: u64) -> Vec<Bounded> {
    let load = Load {
        deployments: 3,
        chains: 20_000,
        steps: 1,
        rate: 100.0,
        attempts: 5,
        strategy: Strategy::Latency,
    };
    let (from_s, to_s) = OUTAGE_S;
    let total = |it: Try| f64::from(u8::from((from_s..to_s).contains(&it.at_s)));
    let partial = |it: Try| if (from_s..to_s).contains(&it.at_s) { 0.45 } else { 0.0 };
    let (dark, dim) = (deliver(&load, &total, seed), deliver(&load, &partial, seed));
    let after = share_delivered(&dark, to_s + 20.0);
    vec![
        Bounded::new("all fail", "calls a request", amplification(&dark), Bound::AtMost(1.1)),
        Bounded::new("all fail", "delivered from 20 s after", after, Bound::AtLeast(0.999)),
        Bounded::new("45 % fail", "calls a request", amplification(&dim), Bound::AtMost(1.1)),
        Bounded::new("45 % fail", "retries denied", dim.retries_denied as f64, Bound::None),
    ]
}

/// Calls a request during the outage; each request's calls end within moments of its arrival.
fn amplification(it: &Delivered) -> f64 {
    let during = |at_s: f64| (OUTAGE_S.0..OUTAGE_S.1).contains(&at_s);
    let calls = it.calls.iter().filter(|call| during(call.sent_s));
    let firsts = calls.clone().filter(|call| call.attempt == 1).count();
    calls.count() as f64 / firsts as f64
}

fn share_delivered(it: &Delivered, from_s: f64) -> f64 {
    let after = it.calls.iter().filter(|call| call.sent_s >= from_s);
    let failed = after.clone().filter(|call| call.failed).count();
    1.0 - failed as f64 / after.count() as f64
}

/// Twenty requests in a row over three providers, each attempt failing once in twenty, half of the repeated
/// ones again.
fn chains(seed: u64, chains: u32) -> Vec<Bounded> {
    let load =
        Load { deployments: 3, chains, steps: 20, rate: 20.0, attempts: 5, strategy: Strategy::Latency };
    let sticky = |it: Try| if it.again { 0.5 } else { 0.05 };
    let it = deliver(&load, &sticky, seed);
    vec![
        Bounded::new("chains", "whole", it.whole_share(), Bound::AtLeast(0.999)),
        Bounded::new("chains", "broken", f64::from(it.chains_broken), Bound::None),
        Bounded::new("chains", "extra calls a request", it.extra_share(), Bound::AtMost(0.1)),
        Bounded::new("chains", "retries denied", it.retries_denied as f64, Bound::None),
    ]
}

impl Bounded {
    fn new(subject: &str, what: &'static str, value: f64, bound: Bound) -> Self {
        Self { subject: subject.to_owned(), what, value, bound }
    }

    fn is_kept(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.value >= bound,
            Bound::AtMost(bound) => self.value <= bound,
            Bound::None => true,
        }
    }

    fn row(&self) -> Value {
        let (at_least, at_most) = match self.bound {
            Bound::AtLeast(bound) => (Some(bound), None),
            Bound::AtMost(bound) => (None, Some(bound)),
            Bound::None => (None, None),
        };
        let name = format!("{}: {}", self.subject, self.what);
        json!({"name": name, "value": self.value, "at_least": at_least, "at_most": at_most})
    }

    fn cell(&self) -> String {
        let digits = if self.value.abs() >= 100.0 || self.value.fract() == 0.0 { 0 } else { 4 };
        let bound = match self.bound {
            Bound::AtLeast(bound) => format!(" (at least {bound})"),
            Bound::AtMost(bound) => format!(" (at most {bound})"),
            Bound::None => String::new(),
        };
        let missed = if self.is_kept() { "" } else { " MISSED" };
        format!("  {} {:.digits$}{bound}{missed}", self.what, self.value)
    }
}
