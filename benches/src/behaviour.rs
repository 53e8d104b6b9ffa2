//! What a model's name asks of the mock upstream, and the bytes that it answers with.
//!
//! | name | answer |
//! |------|--------|
//! | `whole` | one JSON body of 731 bytes |
//! | `burst-64` | an SSE stream of 64 content events, all in one write |
//! | `drip-64` | the same, one write an event, without pause |
//! | `paced-20ms-50` | 50 content events, one every 20 ms, each with the time at which it was sent |
//!
//! Anything up to the last dot of a name is ignored: a gateway's alias (`bench.whole`) and the provider's model
//! (`whole`) then ask for the same, while the gateway still has a name to replace.
//!
//! A content event reads `{sequence}@{time} word`: the sequence number proves that none is lost or doubled, the time
//! (0 where nothing is paced) gives the delay of each.

use std::time::Duration;

#[cfg(test)]
mod tests;

/// Bytes of the body that `whole` answers with.
pub const WHOLE_BYTES: usize = 731;

/// What the mock does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// One JSON body.
    Whole,
    /// A stream, all at once.
    Burst { events: u32 },
    /// A stream, a write an event.
    Drip { events: u32 },
    /// A stream with a pause before each event.
    Paced { pause: Duration, events: u32 },
}

impl Behaviour {
    /// Reads a model's name; `None` if it asks for nothing known.
    #[must_use]
    pub fn of(model: &str) -> Option<Self> {
        let name = model.rsplit('.').next()?;
        let mut words = name.split('-');
        let kind = words.next()?;
        let behaviour = match kind {
            "whole" => Self::Whole,
            "burst" => Self::Burst { events: words.next()?.parse().ok()? },
            "drip" => Self::Drip { events: words.next()?.parse().ok()? },
            "paced" => {
                let pause_ms = words.next()?.strip_suffix("ms")?.parse().ok()?;
                Self::Paced { pause: Duration::from_millis(pause_ms), events: words.next()?.parse().ok()? }
            }
            _ => return None,
        };
        words.next().is_none().then_some(behaviour)
    }

    /// Content events of a stream; 0 for a whole answer.
    #[must_use]
    pub fn events(self) -> u32 {
        match self {
            Self::Whole => 0,
            Self::Burst { events } | Self::Drip { events } | Self::Paced { events, .. } => events,
        }
    }
}

/// The body of a whole answer, [`WHOLE_BYTES`] long.
#[must_use]
pub fn whole_body() -> Vec<u8> {
    const HEAD: &str = r#"{"id":"chatcmpl-bench0000000000000000000001","object":"chat.completion","created":1767225600,"model":"whole","choices":[{"index":0,"message":{"role":"assistant","content":""#;
    const TAIL: &str = r#"","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":187,"completion_tokens":42,"total_tokens":229,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_bench"}"#;
    let content = prose(WHOLE_BYTES - HEAD.len() - TAIL.len());
    [HEAD, &content, TAIL].concat().into_bytes()
}

/// One content event of a stream.
#[must_use]
pub fn content_event(sequence: u32, sent_ns: u64) -> String {
    let role = if sequence == 0 { r#""role":"assistant","# } else { "" };
    format!(
        "data: {{{EVENT_HEAD},\"choices\":[{{\"index\":0,\"delta\":{{{role}\"content\":\"{sequence}@{sent_ns} word\"}},\
         \"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
    )
}

/// What follows the last content event: the finish, the usage if it was asked for, and `[DONE]`.
#[must_use]
pub fn closing_events(events: u32, with_usage: bool) -> Vec<String> {
    let mut closing = vec![format!(
        "data: {{{EVENT_HEAD},\"choices\":[{{\"index\":0,\"delta\":{{}},\"logprobs\":null,\"finish_reason\":\"stop\"}}]}}\n\n"
    )];
    if with_usage {
        let total = u64::from(events) + 187;
        closing.push(format!(
            "data: {{{EVENT_HEAD},\"choices\":[],\"usage\":{{\"prompt_tokens\":187,\"completion_tokens\":{events},\
             \"total_tokens\":{total}}}}}\n\n"
        ));
    }
    closing.push("data: [DONE]\n\n".to_owned());
    closing
}

const EVENT_HEAD: &str = r#""id":"chatcmpl-bench0000000000000000000001","object":"chat.completion.chunk","created":1767225600,"model":"stream","service_tier":"default","system_fingerprint":"fp_bench""#;

const WORDS: &str = "A caravan reached the gate at dusk, and the interpreter asked each merchant where he came from, what \
    he carried and whom he wished to see. Some spoke for a long while about the price of salt; others said only a name \
    and waited. He wrote both down in the same small hand, sealed the page and sent the boy up to the tower with it. ";

/// Exactly `bytes` of plain ASCII prose without a quotation mark.
#[must_use]
pub fn prose(bytes: usize) -> String {
    WORDS.chars().cycle().take(bytes).collect()
}
