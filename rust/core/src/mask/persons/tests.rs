use crate::mask::{Custom, Entities, Entity, Finder};

fn found(text: &str) -> Vec<String> {
    let finder = Finder::new([Entity::Person].into_iter().collect::<Entities>(), 0.5, Custom::default());
    finder.find(text).into_iter().map(|found| text.get(found.place).unwrap_or_default().to_owned()).collect()
}

#[test]
fn names_are_found_by_the_table_and_by_what_brings_them_in() {
    for (text, names) in [
        ("I met Patricia Sleutjes there.", &["Patricia Sleutjes"][..]),
        ("Mrs. Xqzzw and Dr. Kuyra came.", &["Xqzzw", "Kuyra"]),
        ("My name is Oqbar Tlon, call me.", &["Oqbar Tlon"]),
        ("Dear Manlio, thanks. Regards, Ludwig van Beethoven", &["Manlio", "Ludwig van Beethoven"]),
        ("follow up with patricia desrosiers soon.", &["patricia desrosiers"]),
        ("here's Bożena's plan", &["Bożena"]),
        ("A tribute to John F. Kennedy.", &["John F. Kennedy"]),
        ("Jean-Luc Picard wrote it", &["Jean-Luc Picard"]),
    ] {
        assert_eq!(found(text), names, "{text}");
    }
}

#[test]
fn what_only_looks_like_a_name_is_left() {
    for text in [
        "The Smith novel was sold on Will Street in May.",
        "Patricia Holdings Ltd. and Johnson University",
        "My IBAN is below. Please Call Now!",
        "patricia@example.com, /home/patricia/x, patricia.py",
        "The Apache License, Version 2.0 (January 2004)",
        "he will mark it in may",
        "",
    ] {
        assert_eq!(found(text), [""; 0], "{text}");
    }
}
