//! The scanner beside serde_json: what one takes the other takes, and both read the same strings.

use std::collections::HashSet;
use std::fmt;

use proptest::prelude::*;
use proptest::sample::Index;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::*;

/// Deeper than any document below, shallower than what serde_json takes.
const MAX_DEPTH: usize = 100;

/// Whether the document is sound, and every string value in it.
fn strings(scanner: &mut Scanner<'_>) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    scanner.walk(|_, text| found.push(text.to_text()))?;
    scanner.end()?;
    Ok(found)
}

fn strict(document: &[u8]) -> Result<Vec<String>, Fault> {
    strings(&mut Scanner::strict(document, 0, MAX_DEPTH))
}

fn lenient(document: &[u8]) -> Result<Vec<String>, Fault> {
    strings(&mut Scanner::lenient(document, 0))
}

/// What serde_json finds, with a key that stands twice an error, and one with a NUL.
struct Oracle(Vec<String>);

impl<'de> Deserialize<'de> for Oracle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Collect)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Oracle;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Oracle, E> {
        Ok(Oracle(Vec::new()))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Oracle, E> {
        Ok(Oracle(Vec::new()))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Oracle, E> {
        Ok(Oracle(Vec::new()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Oracle, E> {
        Ok(Oracle(Vec::new()))
    }

    fn visit_unit<E>(self) -> Result<Oracle, E> {
        Ok(Oracle(Vec::new()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Oracle, E> {
        Ok(Oracle(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Oracle, A::Error> {
        let mut found = Vec::new();
        while let Some(Oracle(strings)) = items.next_element()? {
            found.extend(strings);
        }
        Ok(Oracle(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Oracle, A::Error> {
        let (mut found, mut keys) = (Vec::new(), HashSet::new());
        while let Some((key, Oracle(strings))) = members.next_entry::<String, _>()? {
            if key.contains('\0') || !keys.insert(key) {
                return Err(A::Error::custom("a key twice, or with a NUL"));
            }
            found.extend(strings);
        }
        Ok(Oracle(found))
    }
}

fn agrees_with_serde(document: &[u8]) {
    let oracle = serde_json::from_slice::<Oracle>(document).map(|oracle| oracle.0);
    let ours = if std::str::from_utf8(document).is_ok() { strict(document).ok() } else { None };
    assert_eq!(ours, oracle.ok(), "{}", String::from_utf8_lossy(document));
    if ours.is_some() {
        assert_eq!(lenient(document).ok(), ours, "what is strictly right is right");
    }
}

/// One of `usual`, seldom one of `odd`.
fn mostly(usual: &[&'static str], odd: &[&'static str]) -> impl Strategy<Value = String> + Clone {
    let pick = |texts: &[&'static str]| prop::sample::select(texts.to_vec()).prop_map(str::to_owned);
    prop_oneof![100 => pick(usual), 1 => pick(odd)]
}

/// A document as text: odd numbers, escapes, white space, keys that repeat. Most are sound.
fn document() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => mostly(&["a", "b", "\\u006d", "m", "é", "\u{7f}", "\\\\", "\\\""], &["\\x", "\t", "\\u00"]),
        1 => mostly(&["\\n", "\\/", "\\ud83d\\ude00", "😀", "\\u00e9"], &["\\ud83d", "\\ude00", "\\u0000"]),
        1 => any::<char>().prop_map(|character| {
            let written = serde_json::to_string(&character.to_string()).unwrap();
            written[1..written.len() - 1].to_owned()
        }),
    ];
    let string = prop::collection::vec(piece, 0..6).prop_map(|pieces| format!("\"{}\"", pieces.concat()));
    let number = mostly(
        &[
            "0",
            "-0",
            "-1",
            "1.5",
            "1e5",
            "1E+5",
            "1e-999",
            "9007199254740993",
            "123456789012345678901234567890",
            "1e308",
        ],
        &[
            "01",
            "1.",
            ".5",
            "1e",
            "1e999",
            "-1e999",
            "NaN",
            "-Infinity",
            "+1",
            "0x1",
            "--1",
            "-",
            "1e309",
            "2e308",
        ],
    );
    let word = mostly(&["true", "false", "null"], &["True", "nul", "nan", "none", ""]);
    let space = mostly(&["", " ", "\n", "\t\r"], &["\u{a0}", ",", "\u{b}"]);
    let leaf = prop_oneof![4 => string.clone(), 2 => number, 2 => word];
    leaf.prop_recursive(5, 48, 16, move |inner| {
        let item =
            (space.clone(), inner, space.clone()).prop_map(|(before, value, after)| before + &value + &after);
        let member = (string.clone(), item.clone()).prop_map(|(key, value)| key + ":" + &value);
        prop_oneof![
            prop::collection::vec(item, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..8).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn documents_are_read_as_serde_reads_them(document in document()) {
        agrees_with_serde(document.as_bytes());
    }

    #[test]
    fn broken_documents_are_refused_as_serde_refuses_them(
        document in document().prop_filter("nothing can be broken", |document| !document.is_empty()),
        edits in prop::collection::vec((any::<Index>(), any::<Index>(), any::<u8>()), 1..3),
    ) {
        let mut bytes = document.into_bytes();
        for (place, pick, any) in edits {
            let place = place.index(bytes.len());
            let telling = b"{}[]\",:\\ 0e-\n";
            bytes[place] = telling.get(pick.index(2 * telling.len())).copied().unwrap_or(any);
        }
        agrees_with_serde(&bytes);
    }

    #[test]
    fn every_cut_is_noticed(members in prop::collection::vec("[a-z]{1,3}", 1..4), cut in any::<Index>()) {
        let document = format!("{{\"k\":{}}}", serde_json::to_string(&members).unwrap());
        let cut = cut.index(document.len());
        prop_assert_eq!(strict(&document.as_bytes()[..cut]).unwrap_err().problem, Problem::Truncated);
    }

    #[test]
    fn large_objects_are_searched_for_twins(
        count in 1..60usize,
        twin in prop::option::of((any::<Index>(), any::<Index>())),
    ) {
        let mut keys: Vec<String> = (0..count).map(|index| format!("key number {index}")).collect();
        let mut has_twin = false;
        if let Some((from, to)) = twin {
            let (from, to) = (from.index(count), to.index(count));
            keys[to] = keys[from].replace('k', "\\u006b");
            has_twin = from != to;
        }
        let members: Vec<String> = keys.iter().map(|key| format!("\"{key}\":{{\"{key}\":0}}")).collect();
        let document = format!("{{{}}}", members.join(","));
        let problem = strict(document.as_bytes()).err().map(|fault| fault.problem);
        prop_assert_eq!(problem, has_twin.then_some(Problem::DuplicateKey));
        prop_assert!(lenient(document.as_bytes()).is_ok());
    }
}

#[test]
fn a_provider_may_do_what_a_client_may_not() {
    for document in [r#"{"a":1,"a":2}"#, r#""\ud800""#, "1e999", r#"{"\u0000":1}"#] {
        assert!(strict(document.as_bytes()).is_err(), "{document}");
        assert!(lenient(document.as_bytes()).is_ok(), "{document}");
    }
}

#[test]
fn depth_is_counted_in_containers() {
    let nested = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
    assert!(strict(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(
        strict(&nested(MAX_DEPTH + 1)).unwrap_err(),
        Fault { problem: Problem::TooDeep, offset: MAX_DEPTH }
    );
    assert!(lenient(&nested(LENIENT_MAX_DEPTH)).is_ok());
    assert_eq!(lenient(&nested(LENIENT_MAX_DEPTH + 1)).unwrap_err().problem, Problem::TooDeep);
}

#[test]
fn a_fault_is_placed() {
    let table: [(&str, Problem, usize); 12] = [
        ("", Problem::Truncated, 0),
        (" ", Problem::Truncated, 1),
        ("{\"a\" 1}", Problem::NoColon, 5),
        ("{a:1}", Problem::NoKey, 1),
        ("{\"a\":1,}", Problem::NoKey, 7),
        ("[1,]", Problem::NoValue, 3),
        ("[1 2]", Problem::NoSeparator, 3),
        ("[1}", Problem::NoSeparator, 2),
        ("1 1", Problem::Trailing, 2),
        ("\"\n\"", Problem::ControlCharacter, 1),
        ("[NaN]", Problem::NotFinite, 1),
        ("[-Infinity]", Problem::NotFinite, 1),
    ];
    for (document, problem, offset) in table {
        assert_eq!(strict(document.as_bytes()).unwrap_err(), Fault { problem, offset }, "{document:?}");
    }
}

#[test]
fn strings_end_where_they_end_wherever_they_stand() {
    for length in 0..40 {
        for special in ["\\\"", "\\n", "é", "\u{7f}"] {
            let document = format!("\"{}{special}{}\"", "x".repeat(length), "y".repeat(40 - length));
            agrees_with_serde(document.as_bytes());
        }
    }
}

#[test]
fn walking_names_the_key_that_a_string_hangs_on() {
    let document = br#"{"a":"1","b":["2",{"c":"3"},"4"],"d":5}"#;
    let mut seen = Vec::new();
    let walked = Scanner::lenient(document, 0).walk(|key, text| seen.push((key.to_vec(), text.to_text())));
    assert_eq!(walked, Ok(0..document.len()));
    let seen: Vec<(&[u8], &str)> = seen.iter().map(|(key, text)| (key.as_slice(), text.as_str())).collect();
    assert_eq!(seen, [(&b"a"[..], "1"), (b"b", "2"), (b"c", "3"), (b"b", "4")]);
}

#[test]
fn clipping_keeps_characters_whole() {
    assert_eq!(
        (clip("aé", 3), clip("aé", 2), clip("aé", 1), clip("é", 1), clip("", 9)),
        ("aé", "a", "a", "", "")
    );
}
