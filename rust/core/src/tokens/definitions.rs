//! Tools and response formats as the models read them.
//!
//! OpenAI does not send a tool's JSON Schema to the model but writes it as a TypeScript namespace. The form is known
//! from the library for its open-weight models (openai-harmony) and from what usage bills; where those say nothing,
//! the text here is a guess, and `Rendered::sure` is false. What the recorded usage shows beyond the library:
//!
//! - arguments without a comment stand in one line, `{ city: string }`; with one, each in its own line;
//! - comments lose the white space around each of their lines;
//! - a title is a comment of its own, parted by an empty one from a description;
//! - a response format is its schema as compact JSON, less `required` and `additionalProperties`.

use super::document::{Value, write_string};
use crate::body::json::Text;

/// References are followed so deep; beyond, they cannot be finite.
const MAX_NESTING: usize = 16;
/// Types that are written in one text: references can make more of a small schema than would ever end.
const MAX_TYPES: usize = 20_000;

/// A text for the model, and whether its form is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    pub sure: bool,
}

/// The tools of a model that has them in its system message.
pub fn tools_for_chat_ml<'v>(functions: &[&'v Value<'v>]) -> Rendered {
    let mut writer = Writer::new("# Tools\n\n## functions\n\nnamespace functions {\n\n");
    for function in functions {
        writer.function(function);
        writer.text.push_str("\n\n");
    }
    writer.text.push_str("} // namespace functions");
    writer.rendered()
}

/// The tools of a reasoning model, which has them in a message of their own.
pub fn tools_for_reasoning<'v>(functions: &[&'v Value<'v>]) -> Rendered {
    let mut writer = Writer::new(concat!(
        "# Tools\n\nTools are grouped by namespace where each namespace has one or more tools defined. By default, ",
        "the input for each tool call is a JSON object. If the tool schema has the word 'FREEFORM' input type, you ",
        "should strictly follow the function description and instructions for the input format. It should not be ",
        "JSON unless explicitly instructed by the function description or system/developer instructions.\n\n",
        "## Namespace: functions\n\n### Target channel: commentary\n\n### Tool definitions\n",
    ));
    for (index, function) in functions.iter().enumerate() {
        if index > 0 {
            writer.text.push_str("\n\n");
        }
        writer.function(function);
    }
    writer.rendered()
}

/// A `json_schema` response format.
pub fn response_format(format: &Value<'_>) -> Rendered {
    let mut text = String::from("# Response Formats\n\n## ");
    text.push_str(&format.text("name").map(Text::to_text).unwrap_or_default());
    text.push_str("\n\n");
    if let Some(description) = format.text("description") {
        text.push_str("// ");
        text.push_str(&description.to_text());
        text.push('\n');
    }
    if let Some(schema) = format.get("schema") {
        schema.write_compact(&["required", "additionalProperties"], &mut text);
    }
    Rendered { text, sure: true }
}

/// A call of several functions at once, as ChatML models make it: the arguments of one call of a made-up function.
pub fn parallel_calls<'v>(calls: impl Iterator<Item = (String, Option<Value<'v>>)>) -> String {
    let mut text = String::from("{\"tool_uses\":[");
    for (index, (name, arguments)) in calls.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str("{\"recipient_name\":");
        write_string(&format!("functions.{name}"), &mut text);
        text.push_str(",\"parameters\":");
        match arguments {
            Some(arguments) => arguments.write_compact(&[], &mut text),
            None => text.push_str("{}"),
        }
        text.push('}');
    }
    text.push_str("]}");
    text
}

/// Writes one namespace.
struct Writer<'v> {
    text: String,
    sure: bool,
    types: usize,
    /// The shared schemas of the function that is being written.
    shared: Vec<&'v Value<'v>>,
}

impl<'v> Writer<'v> {
    fn new(heading: &str) -> Self {
        Writer { text: heading.to_owned(), sure: true, types: 0, shared: Vec::new() }
    }

    fn rendered(self) -> Rendered {
        Rendered { text: self.text, sure: self.sure }
    }

    fn function(&mut self, function: &'v Value<'v>) {
        if let Some(description) = function.text("description").filter(|text| !text.is_empty()) {
            self.text.push_str(&comment(&description.to_text()));
        }
        self.text.push_str("type ");
        self.text.push_str(&function.text("name").map(Text::to_text).unwrap_or_default());
        self.text.push_str(" = ");
        let parameters = function.get("parameters").filter(|parameters| has_properties(parameters));
        if let Some(parameters) = parameters {
            self.shared =
                [parameters.get("$defs"), parameters.get("definitions")].into_iter().flatten().collect();
            let object = self.object(parameters, 0);
            self.text.push_str("(_: ");
            self.text.push_str(&comments(parameters));
            self.text.push_str(&object);
            self.text.push(')');
        } else if let Some(custom) = function.get("format") {
            self.sure = false;
            let grammar = custom.get("grammar").and_then(|grammar| grammar.text("definition"));
            self.text.push_str(&grammar.or(custom.text("definition")).map(Text::to_text).unwrap_or_default());
            self.text.push_str("(FREEFORM)");
        } else {
            self.text.push_str("()");
        }
        self.text.push_str(" => any;");
    }

    fn object(&mut self, schema: &'v Value<'v>, depth: usize) -> String {
        let required = schema.list("required");
        let (mut lines, mut commented) = (Vec::new(), false);
        for (key, property) in schema.get("properties").map_or(&[][..], Value::members) {
            let comments = comments(property);
            commented |= !comments.is_empty();
            let optional =
                !required.iter().any(|name| name.as_text().is_some_and(|name| name.raw == key.raw));
            let mut line = comments;
            line.push_str(&key.to_text());
            line.push_str(if optional { "?: " } else { ": " });
            line.push_str(&self.kind(property, depth + 1));
            line.push(',');
            if let Some(default) = property.get("default") {
                commented = true;
                line.push_str(" // default: ");
                default.write_compact(&[], &mut line);
            }
            lines.push(line);
        }
        if commented {
            self.sure &= depth == 0;
            return format!("{{\n{}\n}}", lines.join("\n"));
        }
        format!("{{ {} }}", lines.join(" ").trim_end_matches(','))
    }

    fn kind(&mut self, schema: &'v Value<'v>, depth: usize) -> String {
        self.types += 1;
        if depth > MAX_NESTING || self.types > MAX_TYPES {
            self.sure = false;
            return "any".to_owned();
        }
        if let Some(shared) =
            schema.text("$ref").and_then(|reference| self.shared_schema(&reference.to_text()))
        {
            return self.kind(shared, depth + 1);
        }
        if let Some(allowed) = schema.get("enum") {
            return join(allowed.items().iter().map(written));
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            if let Some(kinds) = schema.get(choice) {
                self.sure = false;
                return join(kinds.items().iter().map(|kind| self.kind(kind, depth + 1)));
            }
        }
        self.sure &= !["const", "format", "pattern", "examples", "nullable"]
            .iter()
            .any(|key| schema.get(key).is_some());
        match schema.get("type") {
            Some(Value::List(names)) => {
                self.sure = false;
                join(names.iter().filter_map(Value::as_text).map(|name| simple(&name.to_text())))
            }
            Some(name) if name.is("array") => match schema.get("items") {
                Some(items) => format!("{}[]", self.kind(items, depth + 1)),
                None => "any[]".to_owned(),
            },
            Some(name) if name.is("object") && has_properties(schema) => self.object(schema, depth),
            Some(Value::Text(name)) => simple(&name.to_text()),
            _ => "any".to_owned(),
        }
    }

    fn shared_schema(&self, reference: &str) -> Option<&'v Value<'v>> {
        let name = reference.rsplit('/').next()?;
        self.shared.iter().find_map(|schemas| schemas.get(name))
    }
}

fn has_properties(schema: &Value<'_>) -> bool {
    schema.get("properties").is_some_and(|properties| !properties.members().is_empty())
}

fn simple(name: &str) -> String {
    match name {
        "integer" => "number",
        "string" | "number" | "boolean" | "null" => name,
        "object" => "object",
        _ => "any",
    }
    .to_owned()
}

fn written(value: &Value<'_>) -> String {
    let mut text = String::new();
    value.write_compact(&[], &mut text);
    text
}

fn join(kinds: impl Iterator<Item = String>) -> String {
    kinds.collect::<Vec<_>>().join(" | ")
}

/// The comments above a property: its title, its description.
fn comments(schema: &Value<'_>) -> String {
    let mut text = String::new();
    let description = schema.text("description").filter(|description| !description.is_empty());
    if let Some(title) = schema.text("title").filter(|title| !title.is_empty()) {
        text.push_str(&comment(&title.to_text()));
        if description.is_some() {
            text.push_str("//\n");
        }
    }
    if let Some(description) = description {
        text.push_str(&comment(&description.to_text()));
    }
    text
}

fn comment(text: &str) -> String {
    let lines = text.trim_end().split('\n');
    lines.map(|line| format!("{}\n", format!("// {}", line.trim()).trim_end())).collect()
}

#[cfg(test)]
mod tests;
