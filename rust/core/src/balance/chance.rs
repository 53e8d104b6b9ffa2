//! Chance as an argument: every draw is a function of bits that the caller gives.

#[cfg(test)]
mod tests;

/// Scatters the bits of `value`: equal values give equal results, near ones unlike results.
///
/// The finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
pub fn mix(value: u64) -> u64 {
    let mut bits = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A number between 0 and 1, neither of them reached.
pub fn unit(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

/// The arrival time of a racer whose speed is `weight`.
///
/// Of several racers with scattered bits the first to arrive is each one in proportion to its weight. Random
/// bits make that a weighted draw; bits that depend on a key and on the racer's name make it weighted
/// rendezvous hashing, in which a racer that leaves moves only its own keys.
pub fn race(bits: u64, weight: f64) -> f64 {
    -unit(bits).ln() / weight
}

/// A hash of `name` that is the same in every process and every release (FNV-1a).
pub fn name_bits(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}
