//! Token counts in the many shapes that providers give them, made one.
//!
//! | shape | what is odd |
//! |---|---|
//! | `prompt_tokens`, `completion_tokens`, `*_tokens_details` | the chat dialect |
//! | `input_tokens`, `output_tokens`, `*_token(s)_details` | responses, images, transcriptions, realtime |
//! | `cache_read_input_tokens`, `cache_creation_input_tokens` | Anthropic: beside `input_tokens`, not within |
//! | `prompt_cache_hit_tokens`, `num_cached_tokens`, `cached_tokens` | DeepSeek; Mistral; Moonshot and Together |
//! | `total_tokens` more than the two counts | xAI, older models: reasoning outside `completion_tokens` |
//! | `total_tokens` alone | Voyage: all of it is input |
//! | `tokens`, `billed_units` | Cohere: counts one level down |

use crate::body::json::{Fault, Kind, Scanner, float};

/// The most that a count may be: what a database holds.
const MAX_COUNT: u64 = i64::MAX as u64;

/// Tokens as the provider counted them. `input` includes the cached and cache-written, `output` the reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cached_input: u64,
    pub cache_write: u64,
    pub reasoning: u64,
    pub audio_input: u64,
    pub audio_output: u64,
    pub total: Option<u64>,
    /// A count was negative, broken or beyond all range, and was bent to fit: better counted anew.
    pub suspect: bool,
}

impl Usage {
    /// What is known after `later` came as well. A provider's last word counts, except that a report without input (or
    /// output) does not erase an earlier one's.
    pub(super) fn then(self, later: Self) -> Self {
        let input = if later.input > 0 { later } else { self };
        let output = if later.output > 0 { later } else { self };
        Self {
            input: input.input,
            cached_input: input.cached_input,
            cache_write: input.cache_write,
            audio_input: input.audio_input,
            output: output.output,
            reasoning: output.reasoning,
            audio_output: output.audio_output,
            total: later.total.or(self.total),
            suspect: self.suspect || later.suspect,
        }
    }
}

/// The counts as they were written.
#[derive(Default)]
struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
    cached: u64,
    /// `cache_read_input_tokens`, `cache_creation_input_tokens`.
    cached_beside: u64,
    written_beside: u64,
    cache_write: u64,
    reasoning: u64,
    audio_input: u64,
    audio_output: u64,
    /// The input goes by the name that leaves cached tokens out, in a report without details.
    excludes_cached: bool,
    has_details: bool,
    suspect: bool,
}

/// Reads the value that is next; `None` if it is no object or counts no tokens.
pub(super) fn read(scanner: &mut Scanner<'_>) -> Result<Option<Usage>, Fault> {
    let mut counts = Counts::default();
    counts.read(scanner)?;
    Ok(counts.normalised())
}

impl Counts {
    fn read(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if !scanner.object_or_skip()? {
            return Ok(());
        }
        while let Some(key) = scanner.next_key()? {
            match &*key.bytes() {
                b"prompt_tokens" => self.input = self.count(scanner)?.or(self.input),
                b"input_tokens" => {
                    self.excludes_cached = true;
                    self.input = self.count(scanner)?.or(self.input);
                }
                b"completion_tokens" | b"output_tokens" => self.output = self.count(scanner)?.or(self.output),
                b"total_tokens" => self.total = self.count(scanner)?,
                b"cached_tokens" | b"num_cached_tokens" | b"prompt_cache_hit_tokens" => {
                    self.cached = self.count(scanner)?.unwrap_or(0).max(self.cached);
                }
                b"cache_read_input_tokens" => self.cached_beside = self.count(scanner)?.unwrap_or(0),
                b"cache_creation_input_tokens" => self.written_beside = self.count(scanner)?.unwrap_or(0),
                b"reasoning_tokens" => self.reasoning = self.count(scanner)?.unwrap_or(0).max(self.reasoning),
                b"prompt_tokens_details"
                | b"prompt_token_details"
                | b"input_tokens_details"
                | b"input_token_details" => self.input_details(scanner)?,
                b"completion_tokens_details"
                | b"completion_token_details"
                | b"output_tokens_details"
                | b"output_token_details" => self.output_details(scanner)?,
                b"tokens" => self.nested(scanner)?,
                b"billed_units" if self.input.is_none() => self.nested(scanner)?,
                _ => scanner.pass()?,
            }
        }
        Ok(())
    }

    fn input_details(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if !scanner.object_or_skip()? {
            return Ok(());
        }
        self.has_details = true;
        while let Some(key) = scanner.next_key()? {
            match &*key.bytes() {
                b"cached_tokens" => self.cached = self.count(scanner)?.unwrap_or(0).max(self.cached),
                b"cache_write_tokens" => self.cache_write = self.count(scanner)?.unwrap_or(0),
                b"audio_tokens" => self.audio_input = self.count(scanner)?.unwrap_or(0),
                _ => scanner.pass()?,
            }
        }
        Ok(())
    }

    fn output_details(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if !scanner.object_or_skip()? {
            return Ok(());
        }
        while let Some(key) = scanner.next_key()? {
            match &*key.bytes() {
                b"reasoning_tokens" => self.reasoning = self.count(scanner)?.unwrap_or(0).max(self.reasoning),
                b"audio_tokens" => self.audio_output = self.count(scanner)?.unwrap_or(0),
                _ => scanner.pass()?,
            }
        }
        Ok(())
    }

    /// Cohere's `{"input_tokens": 5, "output_tokens": 2}`; its `tokens` come before its `billed_units`.
    fn nested(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if !scanner.object_or_skip()? {
            return Ok(());
        }
        while let Some(key) = scanner.next_key()? {
            match &*key.bytes() {
                b"input_tokens" => self.input = self.count(scanner)?,
                b"output_tokens" => self.output = self.count(scanner)?,
                _ => scanner.pass()?,
            }
        }
        Ok(())
    }

    /// A count however it is written: `7`, `7.0`, `"7"`; null is none, and so is anything else, which is suspect.
    fn count(&mut self, scanner: &mut Scanner<'_>) -> Result<Option<u64>, Fault> {
        let written = match scanner.kind()? {
            Kind::Number => scanner.number()?.to_vec(),
            Kind::String => scanner.text()?.bytes().into_owned(),
            Kind::Null => return scanner.skip().map(|_| None),
            _ => {
                self.suspect = true;
                return scanner.skip().map(|_| None);
            }
        };
        let plain = std::str::from_utf8(&written).ok().and_then(|text| text.parse::<u64>().ok());
        if let Some(count) = plain.filter(|count| *count <= MAX_COUNT) {
            return Ok(Some(count));
        }
        let value = float(&written);
        self.suspect |= !(value >= 0.0 && value < MAX_COUNT as f64 && value.fract() == 0.0);
        // The cast saturates, and makes nought of what is negative or no number.
        Ok(Some((value as u64).min(MAX_COUNT)))
    }

    fn normalised(&self) -> Option<Usage> {
        let (input, output) = match (self.input, self.output, self.total) {
            (None, None, None) => return None,
            (None, None, Some(total)) => (total, 0),
            (input, output, _) => (input.unwrap_or(0), output.unwrap_or(0)),
        };
        let beside = self.cached_beside.saturating_add(self.written_beside);
        let apart = self.excludes_cached && !self.has_details;
        let input = if apart { input.saturating_add(beside).min(MAX_COUNT) } else { input };
        let outside = self.total.unwrap_or(0).saturating_sub(input.saturating_add(output));
        let output = if outside <= self.reasoning { output + outside } else { output };
        // Grok on Azure says that more was cached than there was: a part is at most its whole.
        let cached_input = self.cached.max(self.cached_beside).min(input);
        let cache_write = self.cache_write.max(self.written_beside).min(input - cached_input);
        Some(Usage {
            input,
            output,
            cached_input,
            cache_write,
            reasoning: self.reasoning.min(output),
            audio_input: self.audio_input.min(input),
            audio_output: self.audio_output.min(output),
            total: self.total,
            suspect: self.suspect,
        })
    }
}
