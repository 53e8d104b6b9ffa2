//! The prompt of a chat request, as OpenAI bills it.
//!
//! A message is its texts and three tokens around its role; the answer is primed with a few more. The rest is not
//! published and was found in recorded usage: what is written where (`definitions`), and the constants below, each of
//! which several unlike requests agree on.

use std::collections::HashMap;

use super::CountError;
use super::definitions::{self, Rendered};
use super::document::{self, Request, Value};
use super::image;
use super::model::{Layout, Model};
use super::tally::{Kind, Tally, not_text};
use crate::body::json::Text;

/// Around a message: its start, the end of its role, its end.
const MESSAGE: usize = 3;
/// The tools' text, where it is part of the system message, is billed at one token less than it has.
const CHAT_ML_TOOLS_LESS: usize = 1;
/// A function call beside its name, twice, and its arguments: one with its result.
const CHAT_ML_CALL: usize = 5;
const REASONING_CALL: usize = 11;
/// Calls of several functions at once, beside their text and the messages of two results.
const PARALLEL_CALLS: usize = 12;
/// A response format beside its text: with tools, with a system message, alone.
const FORMAT_WITH_TOOLS: usize = 1;
const FORMAT_IN_SYSTEM: usize = 3;
const FORMAT_ALONE: usize = 8;
/// The system message that servers of open-weight models add; its date and effort hardly change its length.
const OPEN_WEIGHT_SYSTEM: usize = 63;
/// A named function to call, for ChatML models.
const CHOICE: usize = 4;
/// Bytes of a file or a recording that make a token, roughly.
const BYTES_PER_FILE_TOKEN: usize = 40;
const BYTES_PER_AUDIO_TOKEN: usize = 3200;

/// Adds the prompt of `request` to the tally.
pub fn count(request: &Request<'_>, model: &Model, tally: &mut Tally<'_>) -> Result<(), CountError> {
    if !request.has_list("messages") {
        return Err(CountError::new("the request has no list of messages"));
    }
    let messages = request.value("messages")?;
    let messages = messages.items();
    let mut prompt = Prompt { model, tally, tools: Tools::of(request), calls: HashMap::new() };
    if model.layout == Layout::TextsOnly {
        return messages.iter().try_for_each(|message| prompt.content(message.get("content")));
    }
    prompt.tally.add(match model.layout {
        Layout::ChatMl { .. } | Layout::TextsOnly => 3,
        Layout::Reasoning | Layout::OpenWeight => 2,
    });
    prompt.reasoning_tools()?;
    let mut has_system = false;
    for message in messages {
        has_system |= prompt.message(message)?;
    }
    prompt.chat_ml_tools()?;
    prompt.response_format(request, has_system)?;
    prompt.choice(request)
}

/// The tools of a request, in either spelling, unread.
#[derive(Clone, Copy)]
struct Tools<'a> {
    raw: [&'a [u8]; 2],
    /// Whether they still have to be counted.
    pending: bool,
}

impl<'a> Tools<'a> {
    fn of(request: &Request<'a>) -> Self {
        let raw = ["tools", "functions"].map(|name| request.raw(name));
        Tools { raw, pending: raw.iter().any(|raw| !raw.is_empty()) }
    }

    fn are_there(self) -> bool {
        self.raw.iter().any(|raw| !raw.is_empty())
    }

    /// Reads them and hands them to `render`.
    fn render(
        self,
        render: impl for<'v> FnOnce(&[&'v Value<'v>]) -> Rendered,
    ) -> Result<Rendered, CountError> {
        let read = |raw: &'a [u8]| if raw.is_empty() { Ok(Value::Null) } else { document::read(raw) };
        let [tools, functions] = self.raw;
        let (tools, functions) = (read(tools)?, read(functions)?);
        let described =
            tools.items().iter().filter_map(|tool| tool.get("function").or_else(|| tool.get("custom")));
        let rendered = render(&described.chain(functions.items()).collect::<Vec<_>>());
        let custom = tools.items().iter().any(|tool| tool.get("function").is_none());
        Ok(Rendered { sure: rendered.sure && !custom, ..rendered })
    }
}

struct Prompt<'p, 't, 'v> {
    model: &'p Model,
    tally: &'p mut Tally<'t>,
    tools: Tools<'p>,
    /// The function of each call, by the call's id; `None` when it was one of several at once.
    calls: HashMap<&'v [u8], Option<Text<'v>>>,
}

impl<'v> Prompt<'_, '_, 'v> {
    fn is_chat_ml(&self) -> bool {
        matches!(self.model.layout, Layout::ChatMl { .. })
    }

    /// Adds a message, and says whether it is a system message.
    fn message(&mut self, message: &'v Value<'v>) -> Result<bool, CountError> {
        let role = message.text("role").map_or_else(String::new, Text::to_text);
        if role == "tool" || role == "function" {
            self.result(message)?;
            return Ok(false);
        }
        let calls = message.list("tool_calls");
        let called = !calls.is_empty() || message.get("function_call").is_some();
        let content = message.get("content").filter(|content| !content.is("") || !called);
        if content.is_some() || !called {
            self.role(message, &role)?;
            let is_system = role == "system" || role == "developer";
            match content {
                Some(Value::Text(text)) if is_system && self.tools.pending && self.is_chat_ml() => {
                    self.system_with_tools(*text)?;
                }
                content => self.content(content)?,
            }
        }
        self.calls(message, &role)?;
        Ok(role == "system" || role == "developer")
    }

    /// The start of a message: its role, and the name of who speaks.
    fn role(&mut self, message: &Value<'_>, role: &str) -> Result<(), CountError> {
        let around =
            if let Layout::ChatMl { per_message } = self.model.layout { per_message } else { MESSAGE };
        self.tally.add(around);
        match message.text("name") {
            Some(name) => self.tally.add_own(&format!("{role}:{}", name.to_text())),
            None => self.tally.add_own(role),
        }
    }

    fn content(&mut self, content: Option<&Value<'_>>) -> Result<(), CountError> {
        match content {
            Some(Value::Text(text)) => self.tally.add_text(*text),
            Some(Value::List(parts)) => parts.iter().try_for_each(|part| self.part(part)),
            None => Ok(()),
            Some(_) => {
                self.tally.doubt();
                Ok(())
            }
        }
    }

    fn part(&mut self, part: &Value<'_>) -> Result<(), CountError> {
        if let Some(text) = part.text("text").or_else(|| part.text("refusal")) {
            return self.tally.add_text(text);
        }
        if let Some(image) = part.get("image_url") {
            self.image(image);
            return Ok(());
        }
        self.tally.doubt();
        if let Some(audio) = part.get("input_audio") {
            let bytes = audio.text("data").map_or(0, |data| data.raw.len() / 4 * 3);
            self.tally.add(bytes / BYTES_PER_AUDIO_TOKEN + 1);
        } else if let Some(file) = part.get("file") {
            let bytes = file.text("file_data").map_or(0, |data| data.raw.len() / 4 * 3);
            self.tally.add(bytes / BYTES_PER_FILE_TOKEN + 1);
        }
        Ok(())
    }

    fn image(&mut self, image: &Value<'_>) {
        let size = image.text("url").or_else(|| image.as_text()).and_then(|url| image::size_in_url(url.raw));
        let low = image.get("detail").is_some_and(|detail| detail.is("low"));
        if size.is_none() && !(low && self.is_chat_ml()) {
            self.tally.doubt();
        }
        self.tally.add_image(image::tokens(self.model.vision, size.unwrap_or(image::TYPICAL), low));
    }

    /// A tool's result. It is marked with the function's name in the place of its role.
    fn result(&mut self, message: &'v Value<'v>) -> Result<(), CountError> {
        self.tally.add(MESSAGE);
        let call = message.text("tool_call_id").and_then(|id| self.calls.get(id.raw).copied());
        match call.unwrap_or_else(|| message.text("name")) {
            Some(name) => self.tally.add_own(&name.to_text())?,
            None => self.tally.add(1),
        }
        self.content(message.get("content"))
    }

    /// The calls of a message, each a message of its own, or all one where they were made at once.
    fn calls(&mut self, message: &'v Value<'v>, role: &str) -> Result<(), CountError> {
        let calls = message.list("tool_calls");
        let several = calls.len() > 1 && self.is_chat_ml();
        let mut at_once = Vec::new();
        let functions =
            calls.iter().map(|call| (call.text("id"), call.get("function").or_else(|| call.get("custom"))));
        for (id, function) in functions.chain([(None, message.get("function_call"))]) {
            let Some(function) = function else { continue };
            let name = function.text("name").unwrap_or(Text::written(b""));
            if let Some(id) = id {
                self.calls.insert(id.raw, (!several).then_some(name));
            }
            let arguments = function.text("arguments").or_else(|| function.text("input"));
            match several {
                true => at_once.push((name, arguments)),
                false => self.call(message, role, name, arguments)?,
            }
        }
        if several { self.calls_at_once(message, role, &at_once) } else { Ok(()) }
    }

    fn call(
        &mut self,
        message: &Value<'_>,
        role: &str,
        name: Text<'_>,
        arguments: Option<Text<'_>>,
    ) -> Result<(), CountError> {
        self.role(message, role)?;
        self.tally.add(if self.is_chat_ml() { CHAT_ML_CALL } else { REASONING_CALL });
        self.tally.add_own(&format!("functions.{}", name.to_text()))?;
        let arguments = arguments.unwrap_or(Text::written(b"{}"));
        let bytes = arguments.bytes();
        let text = match document::read(&bytes) {
            Ok(value) => {
                let mut compact = String::new();
                value.write_compact(&[], &mut compact);
                compact
            }
            Err(_) => {
                self.tally.doubt();
                String::from_utf8(bytes.to_vec()).map_err(|_| not_text(arguments))?
            }
        };
        self.tally.add_own(&text)
    }

    fn calls_at_once(
        &mut self,
        message: &Value<'_>,
        role: &str,
        calls: &[(Text<'v>, Option<Text<'v>>)],
    ) -> Result<(), CountError> {
        if calls.len() > 2 {
            self.tally.doubt();
        }
        self.role(message, role)?;
        self.tally.add(PARALLEL_CALLS);
        let arguments: Vec<_> =
            calls.iter().map(|(_, arguments)| arguments.map(|text| text.bytes())).collect();
        let values = arguments.iter().map(|bytes| document::read(bytes.as_deref()?).ok());
        let named = calls.iter().map(|(name, _)| name.to_text()).zip(values);
        self.tally.add_own(&definitions::parallel_calls(named))
    }

    /// The tools of a model that has them in the system message, with that message.
    fn system_with_tools(&mut self, content: Text<'_>) -> Result<(), CountError> {
        self.tools.pending = false;
        let (all, [tools, functions]) = (self.tools, self.tools.raw);
        self.tally.add_segment(Kind::SystemAndTools, &[content.raw, tools, functions], || {
            let system = String::from_utf8(content.bytes().into_owned()).map_err(|_| not_text(content))?;
            let tools = all.render(definitions::tools_for_chat_ml)?;
            Ok(Rendered { text: format!("{system}\n\n{}", tools.text), ..tools })
        })?;
        self.tally.take(CHAT_ML_TOOLS_LESS);
        Ok(())
    }

    /// The same when there was no system message: the tools are one.
    fn chat_ml_tools(&mut self) -> Result<(), CountError> {
        if !self.tools.pending {
            return Ok(());
        }
        let tools = self.tools;
        self.tally
            .add_segment(Kind::ChatMlTools, &tools.raw, || tools.render(definitions::tools_for_chat_ml))?;
        self.tally.add(MESSAGE);
        self.tally.take(CHAT_ML_TOOLS_LESS);
        self.tally.add_own("system")
    }

    /// The tools of a model that has them in a message of their own.
    fn reasoning_tools(&mut self) -> Result<(), CountError> {
        if self.model.layout == Layout::OpenWeight {
            self.tally.add(OPEN_WEIGHT_SYSTEM);
        }
        if self.is_chat_ml() || !self.tools.pending {
            return Ok(());
        }
        self.tools.pending = false;
        let tools = self.tools;
        match self.model.layout {
            Layout::Reasoning => self.tally.add_segment(Kind::ReasoningTools, &tools.raw, || {
                tools.render(definitions::tools_for_reasoning)
            })?,
            _ => self.tally.add_segment(Kind::ChatMlTools, &tools.raw, || {
                tools.render(definitions::tools_for_chat_ml)
            })?,
        }
        self.tally.add(MESSAGE);
        self.tally.add_own("system")
    }

    fn response_format(&mut self, request: &Request<'_>, has_system: bool) -> Result<(), CountError> {
        let raw = request.raw("response_format");
        if memchr::memmem::find(raw, b"json_schema").is_none() {
            return Ok(());
        }
        self.tally.add_segment(Kind::ResponseFormat, &[raw], || {
            let format = document::read(raw)?;
            Ok(format.get("json_schema").map(definitions::response_format).unwrap_or_default())
        })?;
        let has_tools = self.tools.are_there();
        self.tally.add(match (has_tools, has_system) {
            (true, _) => FORMAT_WITH_TOOLS,
            (false, true) => FORMAT_IN_SYSTEM,
            (false, false) => FORMAT_ALONE,
        });
        if !self.is_chat_ml() || (has_tools && has_system) {
            self.tally.doubt();
        }
        Ok(())
    }

    /// A choice among the tools; `auto` and `required` cost nothing.
    fn choice(&mut self, request: &Request<'_>) -> Result<(), CountError> {
        if !self.is_chat_ml() {
            return Ok(());
        }
        for name in ["tool_choice", "function_call"] {
            let choice = request.value(name)?;
            if let Some(name) = choice.get("function").unwrap_or(&choice).text("name") {
                self.tally.doubt();
                self.tally.add(CHOICE);
                self.tally.add_own(&name.to_text())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
