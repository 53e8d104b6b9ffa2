//! Server-sent events as section 9.2.6 of the HTML standard parses them, kept byte for byte.
//!
//! A frame is all the bytes up to and including a blank line. Where it ends must not depend on how the network cut the
//! stream, and a line may end in LF, CRLF or CR, so a CR that is the last byte so far is a question: will an LF follow?
//! A blank line that is such a CR waits for the next byte, except after a line that ended in a lone CR: that stream
//! does not use CRLF, and waiting would delay every event by one. If an LF follows after all, it opens the next frame,
//! where it means nothing.

use std::borrow::Cow;

use memchr::memchr2;

#[cfg(test)]
mod tests;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One event, or a comment or other block that a blank line ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Exactly as received, with the blank line.
    pub raw: &'a [u8],
    /// The last `event:` field; invalid UTF-8 becomes U+FFFD.
    pub event: Option<Cow<'a, str>>,
    /// The `data:` fields, joined by LF.
    pub data: Cow<'a, [u8]>,
    /// There is no `data:` field: a comment, an `id:`, a `retry:`, a lone blank line. Pass it on, look no further.
    pub is_comment: bool,
}

/// Why a stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// An event is longer than the reader allows.
    TooLarge,
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an event of the stream is larger than is allowed")
    }
}

impl std::error::Error for FrameError {}

/// What a stream left behind when it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    Clean,
    /// These bytes, which no blank line ended; the standard drops them.
    Unterminated(Vec<u8>),
}

/// Cuts a stream into frames. Each byte is looked at once, however the stream is split.
#[derive(Debug)]
pub struct SseReader {
    max_event_bytes: usize,
    buffer: Vec<u8>,
    /// Where the frame that is being read begins.
    frame: usize,
    /// Where the line that is being read begins.
    line: usize,
    /// Up to here no line end was found.
    scanned: usize,
    /// The line before, of the same frame, ended in a CR without LF.
    after_lone_cr: bool,
    /// An LF that comes first belongs to the CR that ended the frame before.
    lf_is_late: bool,
    /// No frame was found yet: there may be a byte order mark.
    is_first: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// No more bytes will come.
    Ended,
    Failed,
}

/// The end of a line: the line ends before `end`, the next begins at `next`.
struct LineEnd {
    end: usize,
    next: usize,
    is_lone_cr: bool,
}

impl SseReader {
    /// A reader that fails on an event of more than `max_event_bytes`.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            buffer: Vec::new(),
            frame: 0,
            line: 0,
            scanned: 0,
            after_lone_cr: false,
            lf_is_late: false,
            is_first: true,
            state: State::Reading,
        }
    }

    /// Takes the bytes that arrived.
    pub fn push(&mut self, chunk: &[u8]) {
        if self.state != State::Reading {
            return;
        }
        // Moving no more than was consumed keeps the work linear, however seldom the caller takes frames.
        if self.frame * 2 >= self.buffer.len() {
            self.buffer.drain(..self.frame);
            self.line -= self.frame;
            self.scanned -= self.frame;
            self.frame = 0;
        }
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole frame; `None` until more bytes come. After an error nothing more comes.
    #[expect(
        clippy::should_implement_trait,
        reason = "a frame borrows from the reader, which no Iterator can do"
    )]
    pub fn next(&mut self) -> Option<Result<Frame<'_>, FrameError>> {
        if self.state == State::Failed {
            return None;
        }
        let end = self.find_end();
        if end.unwrap_or(self.buffer.len()) - self.frame > self.max_event_bytes {
            self.state = State::Failed;
            self.buffer = Vec::new();
            return Some(Err(FrameError::TooLarge));
        }
        let raw = self.buffer.get(self.frame..end?).unwrap_or_default();
        let text = if std::mem::take(&mut self.is_first) { without_mark(raw) } else { raw };
        self.frame = self.line;
        Some(Ok(Frame::parse(raw, text)))
    }

    /// Says that no more bytes will come, once [`next`](Self::next) has given `None`. Afterwards it may give one more
    /// frame: one whose blank line is a CR at the very end.
    pub fn finish(&mut self) -> Tail {
        if self.state == State::Failed {
            return Tail::Clean;
        }
        self.state = State::Ended;
        let rest = self.buffer.get(self.frame..).unwrap_or_default();
        let last = self.buffer.get(self.line..).and_then(|line| line.strip_suffix(b"\r"));
        let blank_line_is_last = last.is_some_and(|line| self.is_blank(self.line + line.len()));
        if rest.is_empty() || blank_line_is_last || (self.lf_is_late && rest == b"\n") {
            return Tail::Clean;
        }
        Tail::Unterminated(rest.to_vec())
    }

    /// The end of the frame at hand, where the next one's first line begins.
    fn find_end(&mut self) -> Option<usize> {
        while let Some(LineEnd { end, next, is_lone_cr }) = self.line_end() {
            let is_blank = self.is_blank(end);
            let is_late_lf =
                is_blank && std::mem::take(&mut self.lf_is_late) && self.buffer.get(end) == Some(&b'\n');
            self.lf_is_late = is_blank && self.after_lone_cr;
            self.after_lone_cr = is_lone_cr && !is_blank;
            self.line = next;
            self.scanned = next;
            if is_blank && !is_late_lf {
                return Some(next);
            }
        }
        None
    }

    fn line_end(&mut self) -> Option<LineEnd> {
        let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
        let Some(found) = memchr2(b'\n', b'\r', unseen) else {
            self.scanned = self.buffer.len();
            return None;
        };
        let end = self.scanned + found;
        if self.buffer.get(end) == Some(&b'\n') {
            return Some(LineEnd { end, next: end + 1, is_lone_cr: false });
        }
        let lone = LineEnd { end, next: end + 1, is_lone_cr: true };
        if self.after_lone_cr && self.is_blank(end) {
            return Some(lone);
        }
        match self.buffer.get(end + 1) {
            Some(b'\n') => Some(LineEnd { end, next: end + 2, is_lone_cr: false }),
            Some(_) => Some(lone),
            None if self.state == State::Ended => Some(lone),
            None => {
                self.scanned = end;
                None
            }
        }
    }

    /// Whether the line at hand, which ends before `end`, is empty.
    fn is_blank(&self, end: usize) -> bool {
        let line = self.buffer.get(self.line..end).unwrap_or_default();
        line.is_empty() || (self.is_first && self.line == self.frame && line == BYTE_ORDER_MARK)
    }
}

impl<'a> Frame<'a> {
    fn parse(raw: &'a [u8], text: &'a [u8]) -> Self {
        let mut frame = Self { raw, event: None, data: Cow::Borrowed(b""), is_comment: true };
        // A CRLF is split into a line and an empty one, which says nothing.
        for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let colon = memchr::memchr(b':', line).unwrap_or(line.len());
            let (name, value) = line.split_at(colon);
            let value = value.strip_prefix(b":").unwrap_or(value);
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match name {
                b"event" => {
                    frame.event = Some(String::from_utf8_lossy(value)).filter(|name| !name.is_empty())
                }
                b"data" => frame.add_data(value),
                _ => {}
            }
        }
        frame
    }

    fn add_data(&mut self, value: &'a [u8]) {
        if std::mem::take(&mut self.is_comment) {
            self.data = Cow::Borrowed(value);
            return;
        }
        let data = self.data.to_mut();
        data.push(b'\n');
        data.extend_from_slice(value);
    }
}

/// Writes one event. Line ends in `data` become separate `data:` lines, those in `name` spaces.
pub fn write_event(name: Option<&str>, data: &[u8], out: &mut Vec<u8>) {
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend(name.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        out.push(b'\n');
    }
    let mut rest = Some(data);
    while let Some(text) = rest {
        let end = memchr2(b'\n', b'\r', text);
        let (line, after) = text.split_at(end.unwrap_or(text.len()));
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
        rest = end.map(|_| after.strip_prefix(b"\r\n").or(after.get(1..)).unwrap_or_default());
    }
    out.push(b'\n');
}

fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}
