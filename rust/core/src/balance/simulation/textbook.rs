//! Peak EWMA as published, for comparison: any sample above the mean becomes the mean, the clock alone
//! forgets, the load is `latency x (in_flight + 1)`, and two drawn from all members are compared.

use crate::balance::chance;

const DECAY_S: f64 = 10.0;
const DEFAULT_MS: f64 = 30.0;

#[derive(Clone, Debug)]
pub struct PeakEwma {
    members: Vec<Member>,
}

#[derive(Clone, Debug)]
struct Member {
    mean_ms: f64,
    sampled_at_s: f64,
    in_flight: u32,
}

impl PeakEwma {
    pub fn new(members: usize) -> Self {
        Self { members: vec![Member { mean_ms: DEFAULT_MS, sampled_at_s: 0.0, in_flight: 0 }; members] }
    }

    pub fn choose(&mut self, now_s: f64, random: u64) -> usize {
        let count = self.members.len() as u64;
        let one = (random % count) as usize;
        let other = (one + 1 + (chance::mix(random) % (count - 1)) as usize) % self.members.len();
        let load = |index: usize| self.members.get(index).map_or(f64::MAX, |member| member.load(now_s));
        let chosen = if load(other) < load(one) { other } else { one };
        if let Some(member) = self.members.get_mut(chosen) {
            member.in_flight += 1;
        }
        chosen
    }

    pub fn finish(&mut self, index: usize, latency_ms: f64, now_s: f64) {
        if let Some(member) = self.members.get_mut(index) {
            member.in_flight -= 1;
            let kept = member.kept(now_s);
            member.mean_ms = latency_ms.max(member.mean_ms * kept + latency_ms * (1.0 - kept));
            member.sampled_at_s = now_s;
        }
    }
}

impl Member {
    fn kept(&self, now_s: f64) -> f64 {
        ((self.sampled_at_s - now_s) / DECAY_S).exp()
    }

    fn load(&self, now_s: f64) -> f64 {
        self.mean_ms * self.kept(now_s) * (f64::from(self.in_flight) + 1.0)
    }
}
