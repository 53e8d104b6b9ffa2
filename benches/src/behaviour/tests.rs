use super::*;

#[test]
fn names_are_read_and_prefixes_ignored() {
    assert_eq!(Behaviour::of("whole"), Some(Behaviour::Whole));
    assert_eq!(Behaviour::of("bench.whole"), Some(Behaviour::Whole));
    assert_eq!(Behaviour::of("a.b.burst-64"), Some(Behaviour::Burst { events: 64 }));
    assert_eq!(Behaviour::of("drip-3"), Some(Behaviour::Drip { events: 3 }));
    let paced = Behaviour::Paced { pause: Duration::from_millis(20), events: 50 };
    assert_eq!(Behaviour::of("paced-20ms-50"), Some(paced));
}

#[test]
fn unknown_names_ask_for_nothing() {
    for name in ["", "gpt-4o", "burst", "burst-x", "paced-20-50", "burst-64-1", "paced-20ms"] {
        assert_eq!(Behaviour::of(name), None, "{name}");
    }
}

#[test]
fn the_whole_body_is_json_of_the_stated_length() {
    let body = whole_body();
    assert_eq!(body.len(), WHOLE_BYTES);
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(json["usage"]["total_tokens"], 229);
}

#[test]
fn events_are_json() {
    let mut events = vec![content_event(0, 0), content_event(1, 123)];
    events.extend(closing_events(2, true));
    let done = events.pop().unwrap();
    assert_eq!(done, "data: [DONE]\n\n");
    for event in events {
        let json: serde_json::Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(json["object"], "chat.completion.chunk");
    }
}
