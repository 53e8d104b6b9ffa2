//! Which requests have one answer: what is kept is known to be whole by how it ends, and only one ending is looked at.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::body::RequestBody;

/// Ways to ask for several answers at once that are no field `n` at the top.
static SEVERAL: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| ["\"candidateCount\"", "\"candidate_count\"", "\"num_generations\""].map(Finder::new));

/// Whether a request asks for one answer.
///
/// * `raw`: as its client sent it; `body` is that, or what of it a provider may see.
pub fn asks_for_one(body: &RequestBody, raw: &[u8]) -> bool {
    body.n.is_none_or(|n| n == 1) && !SEVERAL.iter().any(|word| word.find(raw).is_some())
}
