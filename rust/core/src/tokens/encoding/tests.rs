use super::*;

#[test]
fn counts_are_the_number_of_ids() {
    let text = "Hello, wörld! It's 12345 o'clock —\n\n  def f(x):\treturn x  // 🙂🙂 中文字符  ";
    for encoding in Encoding::ALL {
        let ids = encoding.encode(text);
        assert_eq!(encoding.count(text, &mut KnownPieces::default()), ids.len());
        assert_eq!(encoding.decode(&ids).unwrap(), text.as_bytes());
    }
}

#[test]
fn ids_are_those_that_tiktoken_gives() {
    assert_eq!(Encoding::O200kBase.encode("hello world"), [24912, 2375]);
    assert_eq!(Encoding::Cl100kBase.encode("hello world"), [15339, 1917]);
    assert_eq!(Encoding::P50kBase.encode("hello world"), [31373, 995]);
}

#[test]
fn special_tokens_are_ordinary_text() {
    assert_eq!(Encoding::O200kBase.count("<|endoftext|>", &mut KnownPieces::default()), 7);
    assert_eq!(Encoding::O200kHarmony.encode("<|start|>"), Encoding::O200kBase.encode("<|start|>"));
}

#[test]
fn empty_text_has_no_tokens() {
    assert_eq!(Encoding::Cl100kBase.count("", &mut KnownPieces::default()), 0);
    assert!(Encoding::Cl100kBase.encode("").is_empty());
}

#[test]
fn names_are_found_again_and_unknown_ids_refused() {
    for encoding in Encoding::ALL {
        assert_eq!(Encoding::named(encoding.name()), Some(encoding));
        assert_eq!(encoding.decode(&[encoding.limit()]), None);
    }
    assert_eq!(Encoding::named("o300k"), None);
}
