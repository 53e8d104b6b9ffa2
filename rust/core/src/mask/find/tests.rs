use proptest::prelude::*;

use crate::mask::{Custom, Entities, Entity, Finder};

fn finder() -> Finder {
    Finder::new(Entities::all(), 0.5, Custom::default())
}

fn found(text: &str) -> Vec<(Entity, String)> {
    let told = |found: super::Found| (found.entity, text.get(found.place).unwrap_or_default().to_owned());
    finder().find(text).into_iter().map(told).collect()
}

#[test]
fn each_kind_is_found_where_it_stands() {
    for (text, entity, value) in [
        ("write to ann.lee+x@mail.example.co.uk.", Entity::Email, "ann.lee+x@mail.example.co.uk"),
        ("moc.elpmaxe@nna", Entity::Email, "moc.elpmaxe@nna"),
        ("card 4111-1111-1111-1111 exp", Entity::Card, "4111-1111-1111-1111"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", Entity::Card, "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
        ("my ssn: 536-22-1234", Entity::Ssn, "536-22-1234"),
        ("GB29 NWBK 6016 1331 9268 19", Entity::Iban, "GB29 NWBK 6016 1331 9268 19"),
        ("call +49 30 123456 now", Entity::Phone, "+49 30 123456"),
        ("(415) 555-0132", Entity::Phone, "(415) 555-0132"),
        ("from 203.0.113.7:80", Entity::Ip, "203.0.113.7"),
        ("at 2001:db8::1 today", Entity::Ip, "2001:db8::1"),
        ("hw 00:1A:2B:3C:4D:5E", Entity::Mac, "00:1A:2B:3C:4D:5E"),
        ("postgres://ann:s3cret@db/x", Entity::UrlCredentials, "ann:s3cret"),
        ("see https://example.com/a?b=c.", Entity::Url, "https://example.com/a?b=c"),
        ("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", Entity::Crypto, "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
        ("born on 4 May 1980.", Entity::BirthDate, "4 May 1980"),
        ("at 52.520008, 13.404954", Entity::Gps, "52.520008, 13.404954"),
        ("passport no. X1234567", Entity::Passport, "X1234567"),
        ("MRN: 00123456", Entity::Medical, "00123456"),
        ("my driver's license number is F1628235", Entity::DriverLicense, "F1628235"),
        (
            "ghp_9fK2mQ7xLr4TzW8bN1vY5cH3jD6gP0sEuRaX",
            Entity::Secret,
            "ghp_9fK2mQ7xLr4TzW8bN1vY5cH3jD6gP0sEuRaX",
        ),
        ("password: hunter2!x", Entity::Secret, "hunter2!x"),
    ] {
        let all = found(text);
        assert!(all.contains(&(entity, value.to_owned())), "{text}: {all:?}");
    }
}

#[test]
fn harmless_text_is_left() {
    for text in [
        "Version 1.2.3 of the protocol was adopted by 12 members, 3 of them new.",
        "The order 4111 was shipped in 2 boxes; see section 4.1.2 and table 11.",
        "const DATABASE_PASSWORD = process.env.DATABASE_PASSWORD",
        "fn main() { let key = map.get(\"token\"); }",
        "for i in range(1000000): total += i * 3.14159",
        "password: ${DB_PASSWORD}, token: <your token>",
        "id 6f1c9a52-8c3e-4f0b-9d57-0a4d2d7e9b11 of the run",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

/// What names and addresses are made of, and what is near to them.
const PIECES: [&str; 34] = [
    "Ann",
    "ann",
    "Lee",
    "O'Neil's",
    "Mr",
    "Dr.",
    "van",
    "de",
    "Dear",
    "name is",
    "said",
    "Ltd",
    "J.",
    "12",
    "7",
    "4711",
    "12b",
    "Main",
    "St",
    "Street",
    "Rue",
    "strasse",
    "Hauptstraße",
    "Apt.",
    "Suite",
    "P.O. Box",
    "address:",
    ",",
    ".",
    "\n",
    "é",
    "漢",
    "\u{200b}",
    "-",
];

proptest! {
    #[test]
    fn names_and_addresses_stand_where_they_are_told_to(
        chosen in prop::collection::vec((0..PIECES.len(), prop::sample::select(vec![" ", "", "  ", "\n"])), 0..60)
    ) {
        let text: String =
            chosen.iter().map(|(at, gap)| format!("{}{gap}", PIECES.get(*at).unwrap_or(&""))).collect();
        let mut end = 0;
        for found in Finder::new(Entities::all(), 0.1, Custom::default()).find(&text) {
            prop_assert!(found.place.start >= end, "{text:?}");
            prop_assert!(text.get(found.place.clone()).is_some_and(|value| !value.is_empty()), "{text:?}");
            end = found.place.end;
        }
    }
}

#[test]
fn encoded_values_are_hidden_whole() {
    for text in [
        "data: YW5uQGV4YW1wbGUuY29tIGlzIG1lCg==",
        "hex 616e6e406578616d706c652e636f6d ok",
        "twice WVc1dVFHVjRZVzF3YkdVdVkyOXRJR2x6SUcxbENnPT0=",
    ] {
        let all = found(text);
        assert_eq!(all.len(), 1, "{text}: {all:?}");
    }
    assert_eq!(found("to ann%40example.com"), [(Entity::Email, "ann%40example.com".to_owned())]);
    assert_eq!(found("line\\nann@example.com"), [(Entity::Email, "ann@example.com".to_owned())]);
}

#[test]
fn own_patterns_and_words_are_found() {
    let mut custom = Custom::default();
    assert_eq!(custom.pattern("ticket", r"TCK-\d{4}"), Ok(()));
    assert_eq!(custom.words("projects", &["Blue Moon".to_owned(), "orion".to_owned()]), Ok(()));
    let finder = Finder::new(Entities::all(), 0.5, custom);
    let kinds: Vec<_> = finder
        .find("TCK-1234 for ORION, not orionid, on blue moon")
        .into_iter()
        .map(|found| found.kind)
        .collect();
    assert_eq!(kinds, ["ticket", "projects", "projects"]);
}

#[test]
fn bad_patterns_are_refused_by_name() {
    let mut custom = Custom::default();
    for pattern in ["(", "a*", "(?=x)", r"(a)\1", r"\w{500}{500}"] {
        assert!(custom.pattern("mine", pattern).is_err_and(|error| error.name == "mine"), "{pattern}");
    }
    assert!(custom.words("mine", &[String::new()]).is_err());
}
