use super::*;

fn followed(max_bytes: usize) -> Recording<u8> {
    let recording = Recording::new(max_bytes);
    assert!(recording.join());
    recording
}

#[test]
fn a_waiter_is_left_only_where_there_is_nothing_to_be_had() {
    let recording = followed(100);
    assert_eq!(recording.after(0, <[u8]>::to_vec), Next::Nothing);
    assert_eq!(recording.wait(0, 1), None);
    assert_eq!(recording.wait(0, 2), None);
    assert_eq!(recording.push(b"ab"), [1, 2]);
    assert_eq!(recording.wait(1, 3), Some(3));
    assert_eq!(recording.after(1, <[u8]>::to_vec), Next::More(b"b".to_vec()));
    assert_eq!(recording.wait(2, 4), None);
    assert_eq!(recording.stir(), [4]);
    assert_eq!(recording.wait(2, 5), None);
    assert_eq!(recording.end(), [5]);
    assert_eq!(recording.wait(2, 6), Some(6));
    assert_eq!(recording.after(2, <[u8]>::to_vec), Next::Over);
}

#[test]
fn what_grows_too_large_is_dropped_and_later_where_others_follow() {
    let alone = Recording::<u8>::new(10);
    alone.push(&[0; 11]);
    assert!(alone.is_dropped());
    assert!(!alone.join(), "there is nothing to follow");
    let shared = followed(10);
    shared.push(&[0; 160]);
    assert!(shared.is_followed() && !shared.is_dropped());
    assert_eq!(shared.body(<[u8]>::len), 160);
    shared.push(&[0; 1]);
    assert_eq!((shared.is_dropped(), shared.is_followed(), shared.followers()), (true, false, 1));
    assert_eq!(shared.wait(160, 1), Some(1));
    assert_eq!(shared.after(160, <[u8]>::to_vec), Next::Over);
}

#[test]
fn followers_are_counted() {
    let recording = followed(10);
    assert!(recording.join());
    assert_eq!((recording.leave(), recording.leave(), recording.leave()), (1, 0, 0));
    recording.end();
    assert!(!recording.join(), "it is over");
    recording.begin("text/plain");
    assert_eq!(recording.content_type().as_deref(), Some("text/plain"));
}
