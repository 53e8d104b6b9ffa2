//! Five deployments of unlike speed that change places, and what a policy makes of them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::Dice;
use super::textbook::PeakEwma;
use crate::balance::{Ask, Balancer, Moment, Outcome, Seat, Strategy, Ticket, Tier, Timing};

const FIRST_TOKEN_MS: [f64; 5] = [250.0, 400.0, 600.0, 900.0, 1600.0];
/// A first token's time in tokens, of each deployment.
const WORTH: [f64; 5] = [20.0, 25.0, 30.0, 22.0, 28.0];
const TYPICAL_TOKENS: f64 = 300.0;
const BROWNOUT: f64 = 4.0;

/// A traffic and what it meets.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    pub name: &'static str,
    /// Requests a second, arriving at random.
    pub rate: f64,
    pub seconds: f64,
    /// Of the logarithm of latencies: 0.4 puts the 99th percentile at 2.3 times the mean.
    pub sigma: f64,
    /// Requests in flight above which a deployment slows down in proportion.
    pub capacity: f64,
    /// How often speeds move on by two deployments; in every third period the quickest is four times as slow.
    pub shift_s: f64,
    pub answers: Answers,
}

/// What an answer is, and when its latency is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// It ends with its first token.
    Short,
    /// A stream that reports its first token when it comes.
    Streams,
    /// A stream of which all is known only at its end.
    LateStreams,
    /// Half are streams, half whole answers of 20 to 4000 tokens.
    Mixed,
}

/// The scenes whose figures are published; the thresholds hold in each of the first five.
pub const SCENES: [Scene; 7] = [
    Scene { name: "20 a second", rate: 20.0, ..SCENE },
    Scene { name: "200 a second", rate: 200.0, seconds: 900.0, ..SCENE },
    Scene { name: "20 a second, mixed", rate: 20.0, answers: Answers::Mixed, ..SCENE },
    Scene { name: "200 a second, full", rate: 200.0, seconds: 900.0, capacity: 40.0, ..SCENE },
    Scene { name: "20 a second, streams", rate: 20.0, answers: Answers::Streams, ..SCENE },
    Scene { name: "20 a second, told late", rate: 20.0, answers: Answers::LateStreams, ..SCENE },
    Scene { name: "2 a second", rate: 2.0, seconds: 14_400.0, ..SCENE },
];

const SCENE: Scene = Scene {
    name: "",
    rate: 20.0,
    seconds: 3600.0,
    sigma: 0.4,
    capacity: f64::INFINITY,
    shift_s: 300.0,
    answers: Answers::Short,
};

/// Who chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    RoundRobin,
    /// Peak EWMA as published.
    Textbook,
    /// Ours.
    Balancer,
    /// Knows the mean latency that the request would have at each.
    Oracle,
}

/// Times to the first token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    pub mean_ms: f64,
    pub p99_ms: f64,
}

/// Plays a scene. The same seed gives every policy the same arrivals and the same luck.
pub fn play(scene: &Scene, policy: Policy, seed: u64) -> Figures {
    let mut world = World { scene, in_flight: [0; 5] };
    let mut router = Router::new(policy);
    let (mut traffic, mut choices) = (Dice::new(seed), Dice::new(!seed));
    let mut events: BinaryHeap<Reverse<(u64, u64, bool)>> = BinaryHeap::new();
    let mut running: HashMap<u64, Running> = HashMap::new();
    let mut waits: Vec<f64> = Vec::new();
    let mut now_s = 0.0;
    while now_s < scene.seconds {
        now_s += traffic.exponential() / scene.rate;
        while let Some(Reverse((at, id, ends))) = events.peek().copied().filter(|it| it.0.0 <= nanos(now_s)) {
            events.pop();
            if ends {
                world.end(&mut router, running.remove(&id), at);
            } else if let Some(request) = running.get_mut(&id) {
                router.first_token(request, at);
            }
        }
        let luck = Luck::draw(&mut traffic, scene);
        let (member, ticket) = router.choose(&world, now_s, choices.bits());
        let request = world.begin(member, ticket, luck, now_s);
        let id = waits.len() as u64;
        waits.push(request.first_token_ms);
        if request.streams && scene.answers != Answers::LateStreams {
            events.push(Reverse((nanos(now_s + request.first_token_ms / 1e3), id, false)));
        }
        events.push(Reverse((nanos(now_s + request.total_ms / 1e3), id, true)));
        running.insert(id, request);
    }
    figures(waits)
}

/// What is random in a request, drawn alike for every policy.
struct Luck {
    latency: f64,
    tokens: u32,
    streams: bool,
}

struct Running {
    member: usize,
    ticket: Option<Ticket>,
    first_token_ms: f64,
    total_ms: f64,
    tokens: u32,
    streams: bool,
}

struct World<'a> {
    scene: &'a Scene,
    in_flight: [u32; 5],
}

struct Router {
    policy: Policy,
    balancer: Balancer,
    tier: Option<Tier>,
    textbook: PeakEwma,
    turn: usize,
}

impl Luck {
    fn draw(dice: &mut Dice, scene: &Scene) -> Self {
        let latency = dice.log_normal(scene.sigma);
        let tokens = (TYPICAL_TOKENS * dice.log_normal(1.0)).clamp(20.0, 4000.0) as u32;
        let half = dice.unit() < 0.5;
        match scene.answers {
            Answers::Short => Self { latency, tokens: 0, streams: false },
            Answers::Streams | Answers::LateStreams => Self { latency, tokens, streams: true },
            Answers::Mixed => Self { latency, tokens, streams: half },
        }
    }
}

impl World<'_> {
    /// The mean time to the first token of a request that is sent now.
    fn first_token_ms(&self, member: usize, now_s: f64) -> f64 {
        let period = (now_s / self.scene.shift_s) as usize;
        let place = (member + 2 * period) % FIRST_TOKEN_MS.len();
        let brownout = if place == 0 && period % 3 == 2 { BROWNOUT } else { 1.0 };
        let in_flight = f64::from(self.in_flight.get(member).copied().unwrap_or_default());
        let crowd = ((in_flight + 1.0) / self.scene.capacity).max(1.0);
        FIRST_TOKEN_MS.get(place).copied().unwrap_or_default() * brownout * crowd
    }

    fn begin(&mut self, member: usize, ticket: Option<Ticket>, luck: Luck, now_s: f64) -> Running {
        let first_token_ms = self.first_token_ms(member, now_s) * luck.latency;
        let worth = WORTH.get(member).copied().unwrap_or(1.0);
        let total_ms = first_token_ms * (worth + f64::from(luck.tokens)) / worth;
        if let Some(in_flight) = self.in_flight.get_mut(member) {
            *in_flight += 1;
        }
        Running { member, ticket, first_token_ms, total_ms, tokens: luck.tokens, streams: luck.streams }
    }

    fn end(&mut self, router: &mut Router, ended: Option<Running>, at: u64) {
        let Some(ended) = ended else { return };
        if let Some(in_flight) = self.in_flight.get_mut(ended.member) {
            *in_flight -= 1;
        }
        router.finish(ended, at);
    }
}

impl Router {
    fn new(policy: Policy) -> Self {
        let balancer = Balancer::default();
        let register = |index: usize| balancer.register(&format!("deployment-{index}"), "", None);
        let seat = |member: usize| Seat { member, weight: 1.0, price: None };
        let seats = (0..FIRST_TOKEN_MS.len()).map(register).map(seat).collect();
        let tier = balancer.tier(seats, Strategy::Latency).ok();
        Self { policy, tier, balancer, textbook: PeakEwma::new(FIRST_TOKEN_MS.len()), turn: 0 }
    }

    fn choose(&mut self, world: &World<'_>, now_s: f64, random: u64) -> (usize, Option<Ticket>) {
        match self.policy {
            Policy::RoundRobin => {
                self.turn += 1;
                (self.turn % FIRST_TOKEN_MS.len(), None)
            }
            Policy::Textbook => (self.textbook.choose(now_s, random), None),
            Policy::Oracle => {
                let cost = |member: &usize| world.first_token_ms(*member, now_s);
                let best = (0..FIRST_TOKEN_MS.len()).min_by(|one, other| cost(one).total_cmp(&cost(other)));
                (best.unwrap_or_default(), None)
            }
            Policy::Balancer => {
                let now = Moment::from_nanos(nanos(now_s));
                let choose = |tier| self.balancer.choose(tier, &Ask::default(), now, random);
                let ticket = self.tier.as_ref().and_then(choose);
                (ticket.as_ref().map_or(0, Ticket::member), ticket)
            }
        }
    }

    fn first_token(&mut self, request: &mut Running, at: u64) {
        if let Some(ticket) = &mut request.ticket {
            ticket.first_token(request.first_token_ms, Moment::from_nanos(at));
        }
    }

    fn finish(&mut self, ended: Running, at: u64) {
        if self.policy == Policy::Textbook {
            let seen_ms = if ended.streams { ended.first_token_ms } else { ended.total_ms };
            self.textbook.finish(ended.member, seen_ms, at as f64 / 1e9);
        }
        let Some(ticket) = ended.ticket else { return };
        let first_token_ms = ended.streams.then_some(ended.first_token_ms);
        let timing = Timing { first_token_ms, total_ms: ended.total_ms, output_tokens: ended.tokens };
        ticket.finish(Outcome::Success(timing), Moment::from_nanos(at), 0);
    }
}

fn figures(mut waits: Vec<f64>) -> Figures {
    waits.sort_by(f64::total_cmp);
    let mean_ms = waits.iter().sum::<f64>() / waits.len() as f64;
    Figures { mean_ms, p99_ms: waits.get(waits.len() * 99 / 100).copied().unwrap_or_default() }
}

fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
