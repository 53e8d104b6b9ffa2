//! Lays out what libphonenumber knows of numbers: which lengths a region has, and which first three digits at each.
//!
//! The whole expressions would have to be compiled again at run time, a millisecond each; the first three digits and
//! the length tell nearly as much.

use phonenumber::metadata::DATABASE;
use regex_automata::{
    Anchored, MatchKind,
    dfa::{Automaton, StartError, StartKind, dense},
    util::{primitives::StateID, start, syntax},
};

use super::Outcome;

/// For each region: its id (2 bytes), calling code (2), national prefix (1: how long, 4), how many lengths (1), and for
/// each the length (1) and a bit for each first three digits (125).
pub(crate) fn table() -> Outcome<Vec<u8>> {
    let mut regions: Vec<_> = DATABASE.iter().collect();
    regions.sort_by_key(|region| (region.country_code(), region.id().to_owned()));
    let mut table = Vec::new();
    for region in regions {
        let general = region.descriptors().general();
        let pattern = general.national_number().as_str().replace(char::is_whitespace, "");
        let config = dense::Config::new().start_kind(StartKind::Anchored).match_kind(MatchKind::All);
        let syntax = syntax::Config::new().unicode(false).utf8(false);
        let dfa = dense::Builder::new().configure(config).syntax(syntax).build(&pattern)?;
        let mut lengths = Vec::new();
        for length in 4..=17_u8 {
            let bits = prefixes(&dfa, usize::from(length))?;
            if bits.iter().any(|bits| *bits != 0) {
                lengths.push((length, bits));
            }
        }
        let prefix = region.national_prefix().filter(|prefix| prefix.len() <= 4).unwrap_or("");
        let mut id = [b' '; 2];
        id.iter_mut().zip(region.id().bytes()).for_each(|(slot, byte)| *slot = byte);
        table.extend(id);
        table.extend(region.country_code().to_le_bytes());
        table.push(u8::try_from(prefix.len())?);
        table.extend(prefix.bytes().chain(std::iter::repeat(0)).take(4));
        table.push(u8::try_from(lengths.len())?);
        for (length, bits) in lengths {
            table.push(length);
            table.extend(bits);
        }
    }
    Ok(table)
}

/// A bit for each three digits that a number of that length may begin with.
fn prefixes(dfa: &dense::DFA<Vec<u32>>, length: usize) -> Result<[u8; 125], StartError> {
    let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes))?;
    let mut bits = [0; 125];
    for prefix in 0..1000_usize {
        let digits = [prefix / 100, prefix / 10 % 10, prefix % 10];
        let begun = digits.iter().fold(start, |state, digit| dfa.next_state(state, b'0' + *digit as u8));
        let mut states = vec![begun];
        for _ in 3..length {
            let mut next: Vec<StateID> = states
                .iter()
                .flat_map(|state| (b'0'..=b'9').map(|digit| dfa.next_state(*state, digit)))
                .collect();
            next.sort_unstable();
            next.dedup();
            next.retain(|state| !dfa.is_dead_state(*state));
            states = next;
        }
        if states.iter().any(|state| dfa.is_match_state(dfa.next_eoi_state(*state))) {
            bits[prefix / 8] |= 1 << (prefix % 8);
        }
    }
    Ok(bits)
}
