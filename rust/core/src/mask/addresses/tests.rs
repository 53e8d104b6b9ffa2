use crate::mask::{Custom, Entities, Entity, Finder};

fn found(text: &str) -> Vec<String> {
    let finder = Finder::new([Entity::Address].into_iter().collect::<Entities>(), 0.5, Custom::default());
    finder.find(text).into_iter().map(|found| text.get(found.place).unwrap_or_default().to_owned()).collect()
}

#[test]
fn addresses_of_many_countries_are_found() {
    for (text, address) in [
        ("I live at 221 Baker Street, London today", "221 Baker Street"),
        (
            "Send it to 742 Evergreen Terrace, Springfield, OR 97403.",
            "742 Evergreen Terrace, Springfield, OR 97403",
        ),
        ("Büro: Hauptstraße 12a, 10115 Berlin", "Hauptstraße 12a, 10115"),
        ("au 55 rue du Faubourg Saint-Honoré, 75008 Paris", "55 rue du Faubourg Saint-Honoré, 75008"),
        ("in Via Roma 7", "Via Roma 7"),
        ("P.O. Box 194", "P.O. Box 194"),
        ("PSC 2581, Box 0041\nAPO AP 32376", "PSC 2581, Box 0041\nAPO AP 32376"),
        (
            "79 Nybyvägen 65\n Suite 824\n Ankarsrum\n Sweden 67626",
            "79 Nybyvägen 65\n Suite 824\n Ankarsrum\n Sweden 67626",
        ),
        ("his address: 08 Kaupang 49", "08 Kaupang 49"),
        ("10 Downing St, London SW1A 2AA", "10 Downing St, London SW1A 2AA"),
    ] {
        assert_eq!(found(text), [address], "{text}");
    }
}

#[test]
fn numbers_and_words_that_are_none_are_left() {
    for text in [
        "We sold 12 of them in 2024 on Main Street.",
        "the first 3 rows of table 5",
        "Version 2.0, January 2004",
        "It is a 3 hour drive, and 2 more on the way. The 2 teams met in court.",
        "wait 5 minutes, then 10 more",
        "In 1997 they moved. The road was long.",
    ] {
        assert_eq!(found(text), [""; 0], "{text}");
    }
}

#[test]
fn a_street_is_found_where_a_card_follows_it() {
    let finder = Finder::new(Entities::all(), 0.5, Custom::default());
    let found = finder.find("At 12 Main Street, My Card 4111 1111 1111 1111");
    let kinds: Vec<_> = found.iter().map(|found| found.entity).collect();
    assert_eq!(kinds, [Entity::Address, Entity::Card]);
}
