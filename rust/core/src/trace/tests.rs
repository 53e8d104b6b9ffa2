use super::{Parent, read_parent};

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[test]
fn a_parent_is_read_and_followed() {
    let value = format!("00-{ID}-{SPAN}-01");
    let parent = read_parent(&value);
    assert_eq!(parent, Some(Parent { trace_id: ID, flags: "01" }));
    assert_eq!(parent.map(|parent| parent.followed_by(255)), Some(format!("00-{ID}-00000000000000ff-01")));
    assert_eq!(parent.map(|parent| parent.followed_by(0)), Some(format!("00-{ID}-0000000000000001-01")));
}

#[test]
fn what_is_none_is_not() {
    let zeros = ("0".repeat(32), "0".repeat(16));
    for value in [
        String::new(),
        ID.to_owned(),
        format!("01-{ID}-{SPAN}-01"),
        format!("00-{ID}-{SPAN}"),
        format!("00-{ID}-{SPAN}-01-00"),
        format!("00-{ID}-{SPAN}-1"),
        format!("00-{ID}-{SPAN}-0g"),
        format!("00-{}-{SPAN}-01", ID.to_uppercase()),
        format!("00-{}-{SPAN}-01", zeros.0),
        format!("00-{ID}-{}-01", zeros.1),
        format!("00-{ID}-{SPAN}-01, 00-{ID}-{SPAN}-01"),
        format!("00-{}é-{SPAN}-01", ID.get(..30).unwrap_or_default()),
    ] {
        assert_eq!(read_parent(&value), None, "{value}");
    }
}
