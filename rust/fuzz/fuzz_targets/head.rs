//! No bytes break the reader of requests' heads; what it takes is a head's own bytes, and what it leaves all others.

#![no_main]

use bytes::BytesMut;
use dragoman_wire::front::Head;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut buffer = BytesMut::from(data);
    let Some((head, ())) = Head::take(&mut buffer, 65_536, |_| Some(())) else {
        assert_eq!(buffer, data);
        return;
    };
    assert!(data.ends_with(&buffer));
    assert!(data[..data.len() - buffer.len()].ends_with(b"\n"));
    assert!(head.path().starts_with('/') && !head.path().contains(['?', ' ', '\r', '\n']));
    assert_eq!(head.fields().filter(|(name, _)| *name == "host").count(), 1);
    for (name, value) in head.fields() {
        assert!(!name.is_empty() && !name.contains(|character: char| character.is_ascii_uppercase()));
        assert!(!value.contains(['\r', '\n', '\0']));
    }
});
