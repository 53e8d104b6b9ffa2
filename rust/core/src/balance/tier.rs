//! Deployments that are tried together, and how to choose among them.

use std::fmt;
use std::sync::Arc;

/// How a tier chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The least load: latency and requests in flight.
    Latency,
    /// By chance, in proportion to the weights.
    Weighted,
    /// The fewest requests in flight for its weight.
    LeastBusy,
    /// The lowest price; of equal ones the least load.
    Cheapest,
    /// The first that can be used, in the order given.
    Priority,
    /// Always the same for a session while it has room, so that a provider's prompt cache stays warm.
    Session,
}

impl Strategy {
    pub const ALL: [Self; 6] =
        [Self::Latency, Self::Weighted, Self::LeastBusy, Self::Cheapest, Self::Priority, Self::Session];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Weighted => "weighted",
            Self::LeastBusy => "least_busy",
            Self::Cheapest => "cheapest",
            Self::Priority => "priority",
            Self::Session => "session",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.as_str() == name)
    }
}

/// A member's place in a tier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seat {
    /// What `Balancer::register` returned.
    pub member: usize,
    /// Above zero. A member of weight 2 takes twice what one of weight 1 takes.
    pub weight: f64,
    /// In any unit that is the same for the whole tier; `None` sorts after every price.
    pub price: Option<f64>,
}

/// A list of seats and a strategy; immutable and cheap to clone.
#[derive(Clone, Debug)]
pub struct Tier {
    pub(super) seats: Arc<[Seat]>,
    pub(super) strategy: Strategy,
}

impl Tier {
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    pub fn strategy(&self) -> Strategy {
        self.strategy
    }
}

/// Why a tier cannot be built.
#[derive(Clone, Debug, PartialEq)]
pub enum TierError {
    Empty,
    UnknownMember(usize),
    BadWeight(f64),
    BadPrice(f64),
}

impl fmt::Display for TierError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(out, "a tier needs at least one member"),
            Self::UnknownMember(index) => write!(out, "no member is registered as {index}"),
            Self::BadWeight(weight) => write!(out, "a weight must be above zero and finite, not {weight}"),
            Self::BadPrice(price) => write!(out, "a price must be finite and not negative, not {price}"),
        }
    }
}

impl std::error::Error for TierError {}

pub(super) fn build(seats: Vec<Seat>, strategy: Strategy, members: usize) -> Result<Tier, TierError> {
    if seats.is_empty() {
        return Err(TierError::Empty);
    }
    for seat in &seats {
        if seat.member >= members {
            return Err(TierError::UnknownMember(seat.member));
        }
        if !(seat.weight.is_finite() && seat.weight > 0.0) {
            return Err(TierError::BadWeight(seat.weight));
        }
        if let Some(price) = seat.price.filter(|price| !price.is_finite() || *price < 0.0) {
            return Err(TierError::BadPrice(price));
        }
    }
    Ok(Tier { seats: seats.into(), strategy })
}
