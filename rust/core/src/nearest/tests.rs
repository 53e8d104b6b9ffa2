use proptest::prelude::*;

use super::words::{Asks, stem};
use super::{Embedder, Question, VectorIndex, judge};

fn score(one: &str, other: &str) -> (f32, &'static str) {
    let embedder = Embedder::Spelling { dimensions: 64 };
    let judged = judge(&Question::read(one), &Question::read(other), &|a, b| embedder.alike(a, b));
    (judged.score, judged.reason)
}

#[test]
fn how_it_asks() {
    for (text, asks) in [
        ("What is this?", Asks::What),
        ("Please, which one?", Asks::What),
        ("In Rome, where is it?", Asks::Where),
        ("How do I go?", Asks::How),
        ("How many are there?", Asks::Measure("many")),
        ("why not", Asks::Why),
        ("Who's there", Asks::Who),
        ("Is it so?", Asks::Whether),
        ("Tell me of it", Asks::Statement),
        ("", Asks::Statement),
    ] {
        assert_eq!(Question::read(text).asks, asks, "{text}");
    }
}

#[test]
fn what_it_is_about() {
    let read = Question::read("What's the price of 2 IT books in New York, and isn't it 40% off?");
    let content: Vec<_> = read.content.iter().map(|word| (word.text.as_str(), word.is_name)).collect();
    assert_eq!(
        content,
        [
            ("price", false),
            ("2", false),
            ("IT", true),
            ("books", false),
            ("new", true),
            ("york", true),
            ("not", false),
            ("40%", false)
        ]
    );
    assert_eq!((read.numbers, read.negations), (vec!["2".to_owned(), "40%".to_owned()], 1));
}

#[test]
fn endings_of_number() {
    for (one, other) in
        [("lamp", "lamps"), ("city", "cities"), ("class", "classes"), ("box", "boxes"), ("size", "sizes")]
    {
        assert_eq!(stem(one), stem(other), "{one}");
    }
    for (one, other) in
        [("process", "processing"), ("abash", "abashed"), ("virus", "viru"), ("glass", "glas")]
    {
        assert_ne!(stem(one), stem(other), "{one}");
    }
}

#[test]
fn what_never_is_the_same() {
    for (one, other, reason) in [
        ("Buy 2?", "Buy 3?", "numbers"),
        ("Is it with sugar?", "Is it without sugar?", "negation"),
        ("When is it?", "Where is it?", "question"),
        ("What is in Rome?", "What is in Oslo?", "names"),
        ("How do I add users?", "How do I remove users?", "opposites"),
        ("Is the light on?", "Is the light off?", "opposites"),
    ] {
        assert_eq!(score(one, other), (0.0, reason), "{one} {other}");
    }
}

#[test]
fn a_typing_error_costs_little_and_another_word_much() {
    let typed = score("What is a thermometer?", "What is a thermometre?").0;
    let other = score("What is a thermometer?", "What is a barometer?").0;
    assert!(typed > 0.7 && other < 0.2, "{typed} {other}");
}

#[test]
fn an_embedder_gives_no_vector_for_nothing() {
    let embedder = Embedder::Spelling { dimensions: 16 };
    assert!(embedder.embed(" ?! ").iter().all(|value| *value == 0.0));
    assert_eq!(embedder.embed(&"é".repeat(9000)).len(), 16);
}

proptest! {
    #[test]
    fn whatever_is_asked_is_itself(text in ".{0,200}") {
        let (own, reason) = score(&text, &text);
        prop_assert!(own == 1.0 && reason.is_empty());
    }

    #[test]
    fn rows_that_are_there_are_found_and_others_are_not(steps in prop::collection::vec((0_u8..12, any::<bool>(), -5_i8..5, -5_i8..5), 1..80)) {
        let mut index = VectorIndex::new(2, 5);
        let mut known: Vec<([u8; 32], [f32; 2])> = Vec::new();
        for (name, adds, x, y) in steps {
            let (id, row) = ([name; 32], [f32::from(x), f32::from(y)]);
            let there = known.iter().position(|(known, _)| *known == id);
            if adds && (x, y) != (0, 0) {
                let (added, gone) = index.add([0; 32], id, &row);
                prop_assert!(added);
                known.retain(|(known, _)| *known != id && Some(*known) != gone);
                known.push((id, row));
            } else if !adds {
                prop_assert_eq!(index.remove(&id), there.is_some());
                known.retain(|(known, _)| *known != id);
            }
            prop_assert_eq!(index.len(), known.len());
            let found = index.search(&[0; 32], &[1.0, 0.0], 12, -1.0);
            prop_assert_eq!(found.len(), known.len());
            prop_assert!(found.iter().all(|one| known.iter().any(|(id, _)| *id == one.id)));
            let all: Vec<_> = (0..12).map(|name| [name; 32]).collect();
            let mut among = index.search_among(&[0; 32], &all, &[1.0, 0.0], 12, -1.0);
            prop_assert!(among.iter().zip(&found).all(|(one, other)| one.cosine == other.cosine));
            among.retain(|one| index.vector(&one.id).is_some_and(|row| row.len() == 2));
            prop_assert_eq!((among.len(), index.rows(&[0; 32]).0.len()), (known.len(), known.len()));
            prop_assert!(index.search_among(&[1; 32], &all, &[1.0, 0.0], 12, -1.0).is_empty());
        }
    }
}
