use proptest::prelude::*;

use crate::mask::{Action, Custom, Entities, Finder, Masker, Session};

fn masker() -> Masker {
    Masker::new(Finder::new(Entities::by_default(), 0.5, Custom::default()), Action::Mask, Vec::new())
}

fn hidden(session: &mut Session, text: &str) -> String {
    session.mask(&masker(), text).unwrap_or_else(|| text.to_owned())
}

#[test]
fn a_value_is_shown_again_wherever_the_text_is_cut() {
    let text = "Write to ann@example.com or Ann@Example.com, card 4111 1111 1111 1111; ENDS with E, EM, EMAIL_ and bob@example.com";
    let mut session = Session::new(b"tenant", b"");
    let masked = hidden(&mut session, text);
    assert!(!masked.contains('@') && !masked.contains("4111"), "{masked}");
    for cut in 0..=masked.len() {
        let mut unmasker = session.unmasker(false);
        let (first, second) = masked.split_at(cut);
        let shown = [unmasker.push(first), unmasker.push(second), unmasker.finish()].concat();
        assert_eq!(shown, text, "cut at {cut}");
    }
    let mut unmasker = session.unmasker(false);
    let mut shown: String = masked.chars().map(|sign| unmasker.push(sign.encode_utf8(&mut [0; 4]))).collect();
    shown.push_str(&unmasker.finish());
    assert_eq!(shown, text);
}

#[test]
fn no_more_than_a_placeholder_is_held_back() {
    let mut session = Session::new(b"tenant", b"");
    let masked = hidden(&mut session, "ann@example.com");
    let mut unmasker = session.unmasker(false);
    let half = masked.get(..masked.len() - 1).unwrap_or_default();
    assert_eq!(unmasker.push(&format!("before {half}")), "before ");
    assert_eq!(unmasker.push("..."), format!("{half}..."));
}

#[test]
fn nobody_elses_placeholder_is_shown() {
    let mut ours = Session::new(b"ours", b"");
    let mut theirs = Session::new(b"theirs", b"");
    let (mine, other) = (hidden(&mut ours, "ann@example.com"), hidden(&mut theirs, "ann@example.com"));
    assert_ne!(mine, other);
    assert_eq!(ours.unmask(&other, false), other);
    assert_eq!(Session::new(b"ours", b"").unmask(&mine, false), mine);
    assert_eq!(hidden(&mut Session::new(b"ours", b""), "ann@example.com"), mine, "the same in every turn");
    assert_ne!(hidden(&mut Session::new(b"ours", b"another"), "ann@example.com"), mine);
}

#[test]
fn a_placeholder_that_somebody_typed_comes_back_as_it_was() {
    let mut session = Session::new(b"tenant", b"");
    let placeholder = hidden(&mut session, "ann@example.com");
    let mut later = Session::new(b"tenant", b"");
    let text = format!("ann@example.com is {placeholder}");
    let masked = hidden(&mut later, &text);
    assert!(masked.starts_with(&placeholder) && masked.contains("LITERAL_"), "{masked}");
    assert_eq!(later.unmask(&masked, false), text);
}

#[test]
fn values_in_json_are_written_as_json_has_them() {
    let mut session = Session::new(b"tenant", b"");
    let password = hidden(&mut session, "password: \"x9\\y'z7Q!\"");
    let name = password.split('"').nth(1).unwrap_or_default();
    assert!(name.starts_with("SECRET_"), "{password}");
    assert_eq!(session.unmask(name, true), "x9\\\\y'z7Q!");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn random_texts_come_back(
        words in prop::collection::vec(
            prop_oneof![
                "[a-z]{1,8}@[a-z]{2,8}\\.(com|org)",
                "[3-6][0-9]{3} [0-9]{4} [0-9]{4} [0-9]{4}",
                "EMAIL_[2-7][A-Z2-7]{3}[2-7][A-Z2-7]{3}",
                "\\PC{0,12}",
                "\\+49 [0-9]{3} [0-9]{7}",
                "[A-Z_]{1,12}",
            ],
            0..12,
        ),
        cuts in prop::collection::vec(0_usize..400, 0..6),
    ) {
        let text = words.join(" ");
        let mut session = Session::new(b"tenant", b"");
        let masked = hidden(&mut session, &text);
        prop_assert_eq!(session.unmask(&masked, false), text.clone());
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| masked.is_char_boundary(*cut)).collect();
        cuts.extend([0, masked.len()]);
        cuts.sort_unstable();
        let mut unmasker = session.unmasker(false);
        let mut shown: String = cuts.windows(2).filter_map(|pair| masked.get(*pair.first()?..*pair.last()?)).map(|piece| unmasker.push(piece)).collect();
        shown.push_str(&unmasker.finish());
        prop_assert_eq!(shown, text);
    }
}
