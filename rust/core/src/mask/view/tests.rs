use proptest::prelude::*;

use super::View;

fn read(text: &str) -> String {
    String::from_utf8_lossy(&View::of(text).bytes).into_owned()
}

#[test]
fn plain_text_is_its_own_view() {
    let view = View::of("Plain text, 4111-1111.\n");
    assert!(!view.is_changed());
    assert_eq!(view.original(3..7), 3..7);
}

#[test]
fn disguises_come_off() {
    for (disguised, plain) in [
        ("4111\u{200B}1111", "41111111"),
        ("\u{202E}4111\u{2066}", "4111"),
        ("４１１１", "4111"),
        ("٤١١١", "4111"),
        ("①②③", "123"),
        ("²³", "23"),
        ("𝟒𝟏", "41"),
        ("аlice＠ехаmple．com", "alice@example.com"),
        ("j\u{00AD}ohn", "john"),
        ("a\u{0301}b\u{FE0F}", "ab"),
        ("1\u{A0}2\u{2009}3", "1 2 3"),
        ("1‐2–3−4", "1-2-3-4"),
        ("日本", "日本"),
        ("x\u{E0041}y", "xy"),
        ("a\u{0}b\u{7F}", "ab"),
    ] {
        assert_eq!(read(disguised), plain, "{disguised:?}");
    }
}

#[test]
fn a_part_of_a_view_leads_back_with_what_is_invisible_in_it() {
    let text = "no 4\u{200B}1１\u{200D}!";
    let view = View::of(text);
    assert_eq!(&*view.bytes, b"no 411!");
    let place = view.original(3..6);
    assert_eq!(text.get(place), Some("4\u{200B}1１\u{200D}"));
}

#[test]
fn escapes_are_read_twice_and_lead_back() {
    for text in [
        "a%40b.c",
        "a&#64;b.c",
        "a&#x40;b.c",
        "a&commat;b.c",
        "a\\u0040b.c",
        "a\\x40b.c",
        "a%2540b.c",
        "a\\u{40}b.c",
    ] {
        let Some(view) = View::unescaped(text) else { unreachable!("{text} has escapes") };
        assert_eq!(&*view.bytes, b"a@b.c", "{text}");
        assert_eq!(view.original(0..5), 0..text.len());
        assert_eq!(view.original(1..2), 1..text.len() - 3);
    }
    assert!(View::unescaped("100% & more \\ nothing").is_none());
}

#[test]
fn a_pair_of_surrogates_is_one_character() {
    let Some(view) = View::unescaped("x\\ud835\\udfd2y") else { unreachable!("it has an escape") };
    assert_eq!(&*view.bytes, b"x4y");
}

proptest! {
    #[test]
    fn a_view_of_a_view_is_the_same(text in "\\PC{0,60}") {
        let once = read(&text);
        prop_assert_eq!(read(&once), once);
    }

    #[test]
    fn every_part_leads_back_to_whole_characters_in_order(text in "\\PC{0,40}[\u{200B}a1\\\\%&;u0-9]{0,20}") {
        for view in std::iter::once(View::of(&text)).chain(View::unescaped(&text)) {
            let mut end = 0;
            for at in 0..view.bytes.len() {
                let place = view.original(at..at + 1);
                prop_assert!(text.is_char_boundary(place.start) && text.is_char_boundary(place.end));
                prop_assert!(place.start < place.end && place.end <= text.len());
                prop_assert!(place.end >= end);
                end = place.end;
            }
        }
    }
}
