use super::*;

fn read_in_pieces(framing: Framing, wire: &[u8], piece: usize) -> (Vec<u8>, bool, usize) {
    let mut reader = BodyReader::new(framing);
    let (mut inbox, mut body) = (BytesMut::new(), Vec::new());
    for bytes in wire.chunks(piece) {
        inbox.extend_from_slice(bytes);
        reader.read(&mut inbox, |piece| body.extend_from_slice(piece)).unwrap();
    }
    (body, reader.ended(), inbox.len())
}

#[test]
fn heads_give_status_and_framing() {
    let head = answer_head(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nrest").unwrap().unwrap();
    assert_eq!(head, Head { status: 200, framing: Framing::Length(12), bytes: 39 });
    let chunked = answer_head(b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap().unwrap();
    assert_eq!((chunked.status, chunked.framing), (503, Framing::Chunked));
    let to_end = answer_head(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").unwrap().unwrap();
    assert_eq!(to_end.framing, Framing::ToEnd);
    assert_eq!(answer_head(b"HTTP/1.1 200 OK\r\nConten").unwrap(), None);
    assert!(answer_head(b"nonsense\r\n\r\n").is_err());
    let request = request_head(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap().unwrap();
    assert_eq!(request.framing, Framing::Length(0));
}

#[test]
fn every_split_of_a_chunked_body_reads_the_same() {
    let wire = [chunk(b"hello, "), chunk(&[b'x'; 300]), LAST_CHUNK.to_vec(), b"NEXT".to_vec()].concat();
    let expected = [b"hello, ".as_slice(), &[b'x'; 300]].concat();
    for piece in 1..wire.len() {
        let (body, ended, _) = read_in_pieces(Framing::Chunked, &wire, piece);
        assert!(ended && body == expected, "in pieces of {piece}");
    }
    assert_eq!(read_in_pieces(Framing::Chunked, &wire, wire.len()).2, 4, "the next message stays");
}

#[test]
fn lengths_and_ends_are_kept() {
    assert_eq!(read_in_pieces(Framing::Length(5), b"helloNEXT", 2), (b"hello".to_vec(), true, 4));
    assert_eq!(read_in_pieces(Framing::Length(9), b"hello", 2), (b"hello".to_vec(), false, 0));
    assert_eq!(read_in_pieces(Framing::ToEnd, b"hello", 2), (b"hello".to_vec(), false, 0));
    assert!(BodyReader::new(Framing::Length(0)).ended());
}

#[test]
fn garbage_between_chunks_is_refused() {
    let mut inbox = BytesMut::from(&b"1\r\nAB\r\n"[..]);
    assert!(BodyReader::new(Framing::Chunked).read(&mut inbox, |_| {}).is_err());
}
