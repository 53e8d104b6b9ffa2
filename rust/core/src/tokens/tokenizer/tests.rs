use super::*;

/// A byte-level vocabulary of three merges.
const JSON: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
    "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
    "post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
    "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,
    "fuse_unk":false,"byte_fallback":false,"ignore_merges":false,
    "vocab":{"a":0,"b":1,"c":2,"Ġ":3,"ab":4,"Ġc":5,"abc":6},"merges":["a b","Ġ c","ab c"]}}"#;

#[test]
fn a_file_counts_by_its_own_merges() {
    let tokenizer = Tokenizer::from_json(JSON.as_bytes()).unwrap();
    assert_eq!(tokenizer.encode("abc c ab").unwrap(), [6, 5, 3, 4]);
    assert_eq!(tokenizer.count("abc c ab", &mut KnownPieces::default()), 4);
    assert_eq!(tokenizer.decode(&[6, 5]).unwrap(), b"abc c");
    assert!(!tokenizer.is(Encoding::O200kBase));
}

#[test]
fn a_file_that_is_no_tokeniser_is_refused() {
    for json in ["", "{}", "[1,2]", r#"{"model":{"type":"BPE"}}"#] {
        assert!(Tokenizer::from_json(json.as_bytes()).is_err(), "{json}");
    }
}

#[test]
fn a_built_in_one_is_its_encoding() {
    let tokenizer = Tokenizer::BuiltIn(Encoding::O200kHarmony);
    assert!(tokenizer.is(Encoding::O200kBase) && !tokenizer.is(Encoding::Cl100kBase));
    assert_eq!(tokenizer.count("hello world", &mut KnownPieces::default()), 2);
    assert!(tokenizer.decode(&[u32::MAX]).is_err());
}
