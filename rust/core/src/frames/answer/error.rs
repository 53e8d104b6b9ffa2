//! Errors in every shape that providers give them.
//!
//! | shape | whose |
//! |---|---|
//! | `{error: {message, type, param, code}}` | OpenAI and most others |
//! | `{error: {code: 429, message, metadata}}` | OpenRouter |
//! | `{type: "error", error: {type, message}}` | Anthropic |
//! | `{error: {code: 429, message, status}}`, alone or in a list | Google |
//! | `{message}`, `{id, message}` | AWS, Cohere |
//! | `{object: "error", message, type, code}` | Mistral, older vLLM |
//! | `{detail: "text"}`, `{detail: [{loc, msg, type}]}` | FastAPI hosts, Voyage |
//! | `{error: "text"}`, `{code, error: "text"}` | Ollama, Together; xAI |
//! | `{errors: [{code, message}], success: false}` | Cloudflare |
//! | `{base_resp: {status_code, status_msg}}` | MiniMax, with a status of 200 |

use crate::body::json::{Fault, Kind, Scanner, clip};

/// Bytes that are kept of a message.
const MAX_MESSAGE_BYTES: usize = 2048;

/// An error as a provider told it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerError {
    /// The HTTP status that it amounts to, where the error says so by number or by name.
    pub status: Option<u16>,
    /// The provider's `type`, or Google's `status`; empty when there is none.
    pub kind: String,
    /// The provider's `code`, numbers as text; empty when there is none.
    pub code: String,
    pub message: String,
}

/// Reads the body of an answer that failed; `None` if it holds no error in a shape that is known.
pub fn read_error(body: &[u8]) -> Option<AnswerError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let mut scanner = Scanner::lenient(body, 0);
    let mut draft = Draft::default();
    draft.document(&mut scanner).and_then(|()| scanner.end()).ok()?;
    draft.finished()
}

/// An error's words as they are found.
#[derive(Default)]
struct Draft {
    found: bool,
    status: Option<u16>,
    kind: String,
    code: String,
    message: String,
    /// MiniMax numbers its errors in its own way.
    is_minimax: bool,
}

impl Draft {
    fn document(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if scanner.kind()? != Kind::Array {
            return self.object(scanner);
        }
        scanner.array_or_skip()?;
        while scanner.next_item()? {
            self.object(scanner)?;
        }
        Ok(())
    }

    fn object(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if !scanner.object_or_skip()? {
            return Ok(());
        }
        while let Some(key) = scanner.next_key()? {
            match &*key.bytes() {
                b"error" => self.error(scanner)?,
                b"errors" | b"detail" => self.list(scanner)?,
                b"base_resp" => self.minimax(scanner)?,
                b"response" | b"x_groq" => self.envelope(scanner)?,
                b"message" | b"msg" => {
                    if let Some(message) = scanner.text_or_skip()? {
                        self.found = true;
                        keep(&mut self.message, message.to_text());
                    }
                }
                name => self.attribute(name, scanner)?,
            }
        }
        Ok(())
    }

    /// The value of `error`: an object, text or something false.
    fn error(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        match scanner.kind()? {
            Kind::String => {
                let text = scanner.text()?.to_text();
                self.found |= !text.is_empty();
                keep(&mut self.message, text);
                Ok(())
            }
            Kind::Object => {
                self.found = true;
                // Its own words beat those around it, as in Anthropic's `type: "error"`.
                let outer = std::mem::replace(self, Self { found: true, ..Self::default() });
                self.object(scanner)?;
                self.fall_back_on(outer);
                Ok(())
            }
            _ => scanner.pass(),
        }
    }

    /// Cloudflare's `errors` and FastAPI's `detail`: the first of them speaks for all.
    fn list(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if scanner.kind()? != Kind::Array {
            return self.error(scanner);
        }
        scanner.array_or_skip()?;
        while scanner.next_item()? {
            if self.found {
                scanner.pass()?;
            } else {
                self.error(scanner)?;
            }
        }
        Ok(())
    }

    /// What holds an error one level down, in the responses dialect and in Groq's.
    fn envelope(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if !scanner.object_or_skip()? {
            return Ok(());
        }
        while let Some(key) = scanner.next_key()? {
            match &*key.bytes() {
                b"error" => self.error(scanner)?,
                _ => scanner.pass()?,
            }
        }
        Ok(())
    }

    fn minimax(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if !scanner.object_or_skip()? {
            return Ok(());
        }
        while let Some(key) = scanner.next_key()? {
            match &*key.bytes() {
                b"status_code" => {
                    let code = scalar(scanner)?;
                    if !matches!(code.as_str(), "" | "0") {
                        (self.found, self.is_minimax, self.code) = (true, true, code);
                    }
                }
                b"status_msg" => keep(&mut self.message, scalar(scanner)?),
                _ => scanner.pass()?,
            }
        }
        Ok(())
    }

    fn attribute(&mut self, name: &[u8], scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        match name {
            b"type" => {
                // These say that there is an error, not which.
                let kind = scalar(scanner)?;
                if kind != "error" && !kind.starts_with("response.") {
                    keep(&mut self.kind, kind);
                }
            }
            b"code" => keep(&mut self.code, scalar(scanner)?),
            b"status" | b"status_code" | b"statusCode" => {
                let value = scalar(scanner)?;
                match http_status(&value) {
                    Some(status) => self.status = Some(status),
                    None => keep(&mut self.kind, value),
                }
            }
            b"object" => self.found |= scalar(scanner)? == "error",
            _ => scanner.pass()?,
        }
        Ok(())
    }

    fn fall_back_on(&mut self, outer: Self) {
        keep(&mut self.message, outer.message);
        keep(&mut self.code, outer.code);
        keep(&mut self.kind, outer.kind);
        self.status = self.status.or(outer.status);
        self.is_minimax |= outer.is_minimax;
    }

    fn finished(self) -> Option<AnswerError> {
        if !self.found {
            return None;
        }
        let named = || meaning(&self.code).or_else(|| meaning(&self.kind));
        let numbered = if self.is_minimax { minimax_status(&self.code) } else { http_status(&self.code) };
        let status = self.status.or(numbered).or_else(named);
        Some(AnswerError { status, kind: self.kind, code: self.code, message: self.message })
    }
}

/// Fills what is still empty.
fn keep(slot: &mut String, value: String) {
    if slot.is_empty() {
        *slot = clip(&value, MAX_MESSAGE_BYTES).to_owned();
    }
}

/// A string or a number as text; empty for anything else.
fn scalar(scanner: &mut Scanner<'_>) -> Result<String, Fault> {
    match scanner.kind()? {
        Kind::String => Ok(scanner.text()?.to_text()),
        Kind::Number => Ok(String::from_utf8_lossy(scanner.number()?).into_owned()),
        _ => scanner.skip().map(|_| String::new()),
    }
}

fn http_status(code: &str) -> Option<u16> {
    code.parse().ok().filter(|status| (400..600).contains(status))
}

/// The HTTP status that a provider's word for an error stands for.
fn meaning(word: &str) -> Option<u16> {
    Some(match word.to_ascii_lowercase().replace('-', "_").as_str() {
        "invalid_request_error"
        | "invalid_value"
        | "unsupported_parameter"
        | "unsupported_value"
        | "context_length_exceeded"
        | "invalid_prompt"
        | "bad_request"
        | "invalid_argument"
        | "failed_precondition"
        | "validationexception" => 400,
        "authentication_error" | "invalid_api_key" | "unauthenticated" | "unauthorized" => 401,
        "billing_error" | "payment_required" => 402,
        "permission_error"
        | "permission_denied"
        | "forbidden"
        | "accessdeniedexception"
        | "unsupported_country_region_territory" => 403,
        "not_found_error" | "not_found" | "model_not_found" | "resourcenotfoundexception" => 404,
        "request_too_large" => 413,
        "rate_limit_error"
        | "rate_limit_exceeded"
        | "rate_limited"
        | "insufficient_quota"
        | "resource_exhausted"
        | "too_many_requests"
        | "throttlingexception"
        | "requests"
        | "tokens" => 429,
        "server_error"
        | "internal_error"
        | "internal_server_error"
        | "api_error"
        | "internal"
        | "internalserverexception" => 500,
        "bad_gateway" => 502,
        "overloaded_error"
        | "overloaded"
        | "unavailable"
        | "service_unavailable"
        | "service_unavailable_error"
        | "serviceunavailableexception"
        | "engine_overloaded_error" => 503,
        "timeout_error" | "timeout" | "deadline_exceeded" | "gateway_timeout" => 504,
        _ => return None,
    })
}

/// MiniMax's own numbers.
fn minimax_status(code: &str) -> Option<u16> {
    Some(match code {
        "1002" | "1039" | "1041" | "2045" | "2056" => 429,
        "1004" | "2049" => 401,
        "1008" => 402,
        "1026" | "1027" | "1042" | "1043" | "1044" | "2013" | "20132" | "2037" | "2039" | "2048" => 400,
        "2042" => 403,
        "1001" => 504,
        _ => 500,
    })
}
