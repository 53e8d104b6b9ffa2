//! A stream's usage taken out again, for a client that did not ask for it.

use super::{Seen, Tap};
use crate::frames::{SseReader, write_event};

/// Whole events of a stream without usage: byte by byte as they were but for that.
///
/// What is no whole event, or cannot be read, is kept as it is.
pub fn without_usage(events: &[u8]) -> Vec<u8> {
    let mut reader = SseReader::new(events.len().saturating_add(1));
    let mut tap = Tap::new(true, 0);
    let mut kept = Vec::with_capacity(events.len());
    reader.push(events);
    let mut read = 0;
    while let Some(Ok(frame)) = reader.next() {
        read += frame.raw.len();
        if frame.is_comment {
            kept.extend_from_slice(frame.raw);
            continue;
        }
        match tap.see(&frame.data, frame.event.as_deref()) {
            Seen::Drop => {}
            Seen::Replace { data, .. } => write_event(frame.event.as_deref(), &data, &mut kept),
            Seen::Forward | Seen::Content | Seen::Done | Seen::Error(_) => kept.extend_from_slice(frame.raw),
        }
    }
    kept.extend_from_slice(events.get(read..).unwrap_or_default());
    kept
}

#[cfg(test)]
mod tests {
    use super::without_usage;

    #[test]
    fn usage_is_taken_out_and_nothing_else() {
        let events = concat!(
            ": comment\n\n",
            "data:  {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}], \"odd\":1.50}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}],\"usage\":null}\n\n",
            "event: x\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}\n\n",
            "data: {broken\n\n",
            "data: [DONE]\n\n",
        );
        let expected = events
            .replace(",\"usage\":null", "")
            .replace(events.split_inclusive("\n\n").nth(3).unwrap_or_default(), "");
        assert_eq!(String::from_utf8_lossy(&without_usage(events.as_bytes())), expected);
    }

    #[test]
    fn what_is_not_whole_is_kept() {
        for events in ["", "data: {\"choices\"", "\n", "data: x\n\ndata:"] {
            assert_eq!(without_usage(events.as_bytes()), events.as_bytes());
        }
    }
}
