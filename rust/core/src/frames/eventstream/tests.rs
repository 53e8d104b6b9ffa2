use proptest::prelude::*;

use super::*;

/// A `messageStop` event, as Amazon's own library writes it.
const EXAMPLE: &str = "0000007a00000051ca2c46650b3a6576656e742d7479706507000b6d65737361676553746f700d3a636f6e74656e742d\
    747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b2273746f70526561736f6e\
    223a22656e645f7475726e227d5fbf09fc";

fn example() -> Vec<u8> {
    let digits: String = EXAMPLE.chars().filter(|digit| !digit.is_whitespace()).collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn read(reader: &mut MessageReader) -> Vec<Result<Message, MessageError>> {
    std::iter::from_fn(|| reader.next_message()).collect()
}

#[test]
fn the_example_is_written_and_read() {
    let payload = br#"{"stopReason":"end_turn"}"#;
    assert_eq!(write_message("messageStop", payload, false), example());
    let mut reader = MessageReader::new(1024);
    reader.push(&example());
    let expected = Message { name: "messageStop".into(), payload: payload.to_vec() };
    assert_eq!(read(&mut reader), [Ok(expected)]);
    assert!(!reader.is_amid());
}

#[test]
fn every_split_gives_the_same_messages() {
    let stream = [example(), write_message("throttlingException", b"{}", true), example()].concat();
    for cut in 0..=stream.len() {
        let mut reader = MessageReader::new(1024);
        let mut found = Vec::new();
        for part in [&stream[..cut], &stream[cut..]] {
            reader.push(part);
            found.extend(read(&mut reader).into_iter().map(|message| message.unwrap().name));
        }
        assert_eq!(found, ["messageStop", "exception:throttlingException", "messageStop"], "cut at {cut}");
    }
}

#[test]
fn one_byte_at_a_time() {
    let mut reader = MessageReader::new(1024);
    let mut found = 0;
    for byte in [example(), example()].concat() {
        reader.push(&[byte]);
        found += read(&mut reader).len();
    }
    assert_eq!((found, reader.is_amid()), (2, false));
}

#[test]
fn a_byte_changed_anywhere_is_noticed() {
    let good = example();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let mut reader = MessageReader::new(1024);
        reader.push(&bad);
        let found = read(&mut reader);
        assert!(found.iter().all(Result::is_err), "byte {at}: {found:?}");
        assert!(!found.is_empty() || reader.is_amid());
    }
}

#[test]
fn a_message_has_a_largest_size() {
    let payload = vec![b' '; 2000];
    let mut reader = MessageReader::new(1024);
    reader.push(&write_message("chunk", &payload, false));
    assert!(matches!(read(&mut reader).first(), Some(Err(MessageError::Length(_)))));
}

proptest! {
    #[test]
    fn what_is_written_is_read(name in "[a-zA-Z]{1,40}", payload: Vec<u8>, is_exception: bool, cut: prop::sample::Index) {
        let written = write_message(&name, &payload, is_exception);
        let (one, two) = written.split_at(cut.index(written.len()));
        let mut reader = MessageReader::new(1 << 20);
        reader.push(one);
        prop_assert!(reader.next_message().is_none());
        reader.push(two);
        let name = if is_exception { format!("exception:{name}") } else { name };
        prop_assert_eq!(reader.next_message(), Some(Ok(Message { name, payload })));
    }

    #[test]
    fn nothing_makes_it_panic(data: Vec<u8>) {
        let mut reader = MessageReader::new(1 << 16);
        reader.push(&data);
        for _ in 0..8 {
            if !matches!(reader.next_message(), Some(Ok(_))) { break }
        }
    }

    #[test]
    fn hostile_headers_are_read_or_refused(headers: Vec<u8>) {
        let length = LEAST + headers.len();
        let mut message = Vec::new();
        message.extend_from_slice(&(length as u32).to_be_bytes());
        message.extend_from_slice(&(headers.len() as u32).to_be_bytes());
        message.extend_from_slice(&checksum(&message).to_be_bytes());
        message.extend_from_slice(&headers);
        message.extend_from_slice(&checksum(&message).to_be_bytes());
        let mut reader = MessageReader::new(1 << 20);
        reader.push(&message);
        prop_assert!(reader.next_message().is_some());
    }
}
