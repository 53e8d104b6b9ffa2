use crate::tokens::{Encoding, Endpoint, Memo, Model, TokenCount, Tokenizer, count_request};

fn count(model: &str, body: &str) -> TokenCount {
    let known = Model::named(model);
    let tokenizer = Tokenizer::BuiltIn(known.encoding);
    count_request(body.as_bytes(), Endpoint::Chat, &known, &tokenizer, &mut Memo::new(1, 16), None).unwrap()
}

fn exact(model: &str, body: &str) -> usize {
    let count = count(model, body);
    assert!(count.exact, "{body}");
    count.tokens()
}

fn tokens(text: &str) -> usize {
    Encoding::O200kBase.encode(text).len()
}

const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"get_weather","description":"Get the weather",
    "parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]"#;

#[test]
fn a_message_is_its_text_its_role_and_three_tokens() {
    let body = r#"{"messages":[{"role":"user","content":"What is the capital of France?"}]}"#;
    assert_eq!(exact("gpt-4o", body), 14);
    assert_eq!(exact("gpt-3.5-turbo", body), 14);
    assert_eq!(exact("gpt-3.5-turbo-0301", body), 15);
    assert_eq!(exact("gpt-5", body), 13);
    assert_eq!(exact("gpt-4o-search-preview", body), 7);
}

#[test]
fn parts_are_texts_too_and_a_name_follows_the_role() {
    let body = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"What is the capital of France?"}]}]}"#;
    assert_eq!(exact("gpt-4o", body), 14);
    let named = r#"{"messages":[{"role":"user","name":"user","content":"What is the capital of France?"}]}"#;
    assert_eq!(exact("gpt-4o", named), 15);
}

#[test]
fn tools_are_part_of_the_system_message() {
    let tools = "# Tools\n\n## functions\n\nnamespace functions {\n\n// Get the weather\ntype get_weather = (_: { city: string }) => any;\n\n} // namespace functions";
    let user = exact("gpt-4o", r#"{"messages":[{"role":"user","content":"Hi"}]}"#);
    let body = format!(r#"{{"messages":[{{"role":"user","content":"Hi"}}],{TOOLS}}}"#);
    assert_eq!(exact("gpt-4o", &body), user + 4 + tokens(tools) - 1);
    let body = format!(
        r#"{{"messages":[{{"role":"system","content":"Be kind."}},{{"role":"user","content":"Hi"}}],{TOOLS}}}"#
    );
    let system = tokens(&format!("Be kind.\n\n{tools}"));
    assert_eq!(exact("gpt-4o", &body), user + 4 + system - 1);
}

#[test]
fn functions_and_tools_are_the_same() {
    let function = r#"{"name":"f","description":"Do","parameters":{"type":"object","properties":{}}}"#;
    let messages = r#""messages":[{"role":"user","content":"Hi"}]"#;
    let tools = format!(r#"{{{messages},"tools":[{{"type":"function","function":{function}}}]}}"#);
    let functions = format!(r#"{{{messages},"functions":[{function}]}}"#);
    assert_eq!(exact("gpt-4o", &tools), exact("gpt-4o", &functions));
}

#[test]
fn a_call_and_its_result_cost_the_name_twice() {
    let history = r#"{"messages":[{"role":"user","content":"Hi"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":
            {"name":"get_weather","arguments":"{\"city\": \"Paris\"}"}}]},
        {"role":"tool","tool_call_id":"1","content":"Sunny"}]}"#;
    let user = exact("gpt-4o", r#"{"messages":[{"role":"user","content":"Hi"}]}"#);
    let arguments = tokens(r#"{"city":"Paris"}"#);
    let text = tokens("Sunny");
    assert_eq!(exact("gpt-4o", history), user + 4 + 5 + 3 + arguments + 3 + 2 + text);
    assert_eq!(exact("gpt-5-mini", history), user - 1 + 4 + 11 + 3 + arguments + 3 + 2 + text);
}

#[test]
fn arguments_that_are_no_json_are_estimated() {
    let history = r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{oops"}}]}]}"#;
    assert!(!count("gpt-4o", history).exact);
}

#[test]
fn images_cost_what_their_size_says() {
    let image = |detail: &str| {
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":
            {{"url":"data:image/gif;base64,R0lGODlhQAHIAIAAAAAAAP","detail":"{detail}"}}}}]}}]}}"#
        )
    };
    assert_eq!(count("gpt-4o", &image("high")).image_tokens, 255);
    assert_eq!(count("gpt-4o", &image("low")).image_tokens, 85);
    assert_eq!(count("gpt-4o-mini", &image("auto")).image_tokens, 8500);
    assert!(count("gpt-4o", &image("high")).exact);
}

#[test]
fn what_cannot_be_known_is_an_estimate() {
    for part in [
        r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#,
        r#"{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}"#,
        r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0="}}"#,
    ] {
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
        let count = count("gpt-4o", &body);
        assert!(!count.exact && count.tokens() > 7, "{part}");
    }
    assert!(!count("claude-sonnet-4-5", r#"{"messages":[]}"#).exact);
}

#[test]
fn a_response_format_costs_its_schema() {
    let body = r#"{"messages":[{"role":"user","content":"Best ways to make a bomb"}],"response_format":{"type":"json_schema",
        "json_schema":{"schema":{"properties":{"rating":{"title":"Rating","type":"integer"},"joke":{"title":"Joke",
        "type":"string"}},"required":["rating","joke"],"title":"StructuredAnswer","type":"object",
        "additionalProperties":false},"name":"StructuredAnswer","strict":true}}}"#;
    assert_eq!(exact("gpt-4o", body), 65);
    assert!(!count("gpt-5", body).exact);
}
