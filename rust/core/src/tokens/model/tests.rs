use super::*;

#[test]
fn names_lead_to_encodings() {
    let of = |name: &str| Model::named(name).encoding.name();
    for name in
        ["gpt-4o", "gpt-4o-mini-2024-07-18", "chatgpt-4o-latest", "gpt-4.1-nano", "o1", "o3-mini", "gpt-5.2"]
    {
        assert_eq!(of(name), "o200k_base", "{name}");
    }
    for name in [
        "gpt-4",
        "gpt-4-turbo",
        "gpt-3.5-turbo-0125",
        "gpt-35-turbo",
        "text-embedding-3-large",
        "davinci-002",
    ] {
        assert_eq!(of(name), "cl100k_base", "{name}");
    }
    assert_eq!(of("gpt-oss-120b"), "o200k_harmony");
    assert_eq!(of("text-davinci-003"), "p50k_base");
}

#[test]
fn prefixes_are_passed_over() {
    for name in
        ["openai/gpt-4-0613", "openrouter/openai/gpt-4", "ft:gpt-4-0613:us:x", "us.openai.gpt-4", " GPT-4 "]
    {
        assert_eq!(Model::named(name), Model::named("gpt-4"), "{name}");
    }
}

#[test]
fn what_is_unknown_is_not_verified() {
    for name in ["", "claude-sonnet-4-5", "mistral-small", "gpt-9"] {
        assert!(!Model::named(name).verified, "{name}");
        assert_eq!(Model::named(name).encoding, Encoding::O200kBase);
    }
    assert!(Model::named("gpt-5-mini").verified);
}

#[test]
fn no_name_hides_a_longer_one_that_comes_after_it() {
    for (index, (name, ..)) in MODELS.iter().enumerate() {
        let before = MODELS[..index].iter().find(|(shorter, ..)| name.starts_with(shorter));
        assert_eq!(before.map(|(shorter, ..)| *shorter), None, "hides {name}");
    }
}
