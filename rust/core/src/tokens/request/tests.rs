use super::*;
use crate::tokens::Encoding;

fn count(body: &[u8], endpoint: Endpoint, model: &str) -> Result<TokenCount, CountError> {
    let model = Model::named(model);
    let tokenizer = Tokenizer::BuiltIn(model.encoding);
    count_request(body, endpoint, &model, &tokenizer, &mut Memo::new(1, 16), None)
}

#[test]
fn prompts_and_inputs_are_their_texts() {
    let text = Encoding::Cl100kBase.encode("Say hello").len();
    let count = |body: &str, endpoint, model| count(body.as_bytes(), endpoint, model).unwrap().tokens();
    assert_eq!(count(r#"{"prompt":"Say hello"}"#, Endpoint::Completions, "davinci-002"), text);
    let body = r#"{"input":["Say hello","Say hello"]}"#;
    assert_eq!(count(body, Endpoint::Embeddings, "text-embedding-3-small"), 2 * text);
    assert_eq!(count(r#"{"prompt":[[1,2],[3]]}"#, Endpoint::Completions, "davinci-002"), 3);
    assert_eq!(count(r#"{"input":""}"#, Endpoint::Embeddings, "text-embedding-3-small"), 1);
}

#[test]
fn a_body_that_cannot_be_counted_says_why() {
    let message = |body: &[u8]| count(body, Endpoint::Chat, "gpt-4o").unwrap_err().message;
    assert!(message(b"{").starts_with("the request is no JSON"));
    assert!(message(b"[]").contains("no list of messages"));
    assert!(message(br#"{"messages":[{"role":"user","content":"\ud800"}]}"#).contains("surrogate"));
    assert!(message(b"{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}").contains("UTF-8"));
}

#[test]
fn long_texts_are_remembered_and_too_long_ones_estimated() {
    let model = Model::named("gpt-4o");
    let tokenizer = Tokenizer::BuiltIn(model.encoding);
    let mut memo = Memo::new(1, 16);
    let body =
        format!(r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#, "some words and more ".repeat(1000));
    let mut count =
        |fresh| count_request(body.as_bytes(), Endpoint::Chat, &model, &tokenizer, &mut memo, fresh).unwrap();
    let estimated = count(Some(8192));
    assert!(!estimated.exact);
    let exact = count(None);
    assert!(exact.exact);
    assert_eq!(count(Some(0)), exact);
}

#[test]
fn names_of_endpoints_are_found() {
    for name in Endpoint::NAMES {
        assert!(Endpoint::named(name).is_some());
    }
    assert_eq!(Endpoint::named("audio"), None);
}
