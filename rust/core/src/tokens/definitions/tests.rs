use super::*;
use crate::tokens::document::read;

/// The text of one tool, less the heading and the end.
fn written(function: &str) -> (String, bool) {
    let function = read(function.as_bytes()).unwrap();
    let rendered = tools_for_chat_ml(&[&function]);
    let text = rendered.text.strip_prefix("# Tools\n\n## functions\n\nnamespace functions {\n\n").unwrap();
    (text.strip_suffix("\n\n} // namespace functions").unwrap().to_owned(), rendered.sure)
}

#[test]
fn arguments_without_comments_stand_in_one_line() {
    let function = r#"{"name":"add","parameters":{"type":"object","properties":
        {"a":{"type":"integer"},"b":{"type":"array","items":{"type":"string"}}},"required":["a"]}}"#;
    assert_eq!(written(function), ("type add = (_: { a: number, b?: string[] }) => any;".to_owned(), true));
}

#[test]
fn a_function_without_arguments_has_none() {
    let text = "type now = () => any;".to_owned();
    assert_eq!(written(r#"{"name":"now","description":""}"#), (text.clone(), true));
    assert_eq!(written(r#"{"name":"now","parameters":{"type":"object","properties":{}}}"#), (text, true));
}

#[test]
fn comments_come_line_by_line() {
    let function = r#"{"name":"f","description":"First.\n\n   Second. \n  ","parameters":{"title":"f_args","properties":
        {"x":{"title":"X","description":"The x. ","type":"string","enum":["a","b"]},"y":{"type":"boolean","default":false}}}}"#;
    let text = "// First.\n//\n// Second.\ntype f = (_: // f_args\n{\n// X\n//\n// The x.\nx?: \"a\" | \"b\",\n\
        y?: boolean, // default: false\n}) => any;";
    assert_eq!(written(function), (text.to_owned(), true));
}

#[test]
fn references_are_followed_and_cycles_end() {
    let function = r##"{"name":"f","parameters":{"$defs":{"A":{"type":"object","properties":{"n":{"type":"null"}},"required":["n"]}},
        "properties":{"list":{"type":"array","items":{"$ref":"#/$defs/A"}}}}}"##;
    assert_eq!(written(function), ("type f = (_: { list?: { n: null }[] }) => any;".to_owned(), true));
    let cycle = r##"{"name":"f","parameters":{"$defs":{"A":{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}}}},
        "properties":{"a":{"$ref":"#/$defs/A"}}}}"##;
    let (text, sure) = written(cycle);
    assert!(text.ends_with(") => any;") && !sure);
}

#[test]
fn shapes_that_no_usage_shows_are_not_sure() {
    for schema in [
        r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#,
        r#"{"type":["string","null"]}"#,
        r#"{"type":"string","format":"date"}"#,
        r#"{"type":"object","properties":{"a":{"type":"string","description":"nested"}}}"#,
    ] {
        let function = format!(r#"{{"name":"f","parameters":{{"properties":{{"a":{schema}}}}}}}"#);
        assert!(!written(&function).1, "{schema}");
    }
}

#[test]
fn a_reasoning_model_reads_another_heading() {
    let function = read(br#"{"name":"f"}"#).unwrap();
    let text = tools_for_reasoning(&[&function, &function]).text;
    assert!(text.starts_with("# Tools\n\nTools are grouped"));
    assert!(text.ends_with("### Tool definitions\ntype f = () => any;\n\ntype f = () => any;"));
}

#[test]
fn a_response_format_is_its_schema() {
    let format = read(br#"{"name":"Joke","description":"Fun","schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}"#);
    let rendered = response_format(&format.unwrap());
    let schema = r#"{"type":"object","properties":{"a":{"type":"string"}}}"#;
    assert_eq!(rendered.text, format!("# Response Formats\n\n## Joke\n\n// Fun\n{schema}"));
}

#[test]
fn calls_at_once_are_one() {
    let calls = [("f".to_owned(), read(br#"{"a": 1}"#).ok()), ("g".to_owned(), None)];
    let text = r#"{"tool_uses":[{"recipient_name":"functions.f","parameters":{"a":1}},{"recipient_name":"functions.g","parameters":{}}]}"#;
    assert_eq!(parallel_calls(calls.into_iter()), text);
}

#[test]
fn references_that_multiply_come_to_an_end() {
    let many: Vec<_> = (0..40).map(|at| format!(r##""p{at}":{{"$ref":"#/$defs/A"}}"##)).collect();
    let properties = format!(r#""properties":{{{}}}"#, many.join(","));
    let function = format!(
        r#"{{"name":"f","parameters":{{"$defs":{{"A":{{"type":"object",{properties}}}}},{properties}}}}}"#
    );
    let (text, sure) = written(&function);
    assert!(!sure && text.len() < 10_000_000);
}
