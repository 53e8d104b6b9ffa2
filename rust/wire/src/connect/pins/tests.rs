use rcgen::{CertificateParams, KeyPair, PublicKeyData};

use super::*;

#[test]
fn a_pin_is_of_the_key_alone() {
    let key = KeyPair::generate().unwrap();
    let certificate = |name: &str| {
        CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap().der().clone()
    };
    let expected = digest(&SHA256, &key.subject_public_key_info());
    for name in ["one.example", "another.example"] {
        assert_eq!(KeyPin::of(&certificate(name)).unwrap().0, expected.as_ref());
    }
}

#[test]
fn a_pin_is_written_as_it_is_configured() {
    // RFC 4648, and the SHA-256 of nothing.
    let nothing: [u8; 32] = digest(&SHA256, b"").as_ref().try_into().unwrap();
    assert_eq!(KeyPin(nothing).to_string(), "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

#[test]
fn what_is_no_certificate_has_no_pin() {
    for bytes in [&b""[..], b"x", &[0x30, 0x82, 0xff, 0xff], &[0; 100]] {
        assert!(KeyPin::of(bytes).is_err(), "{bytes:?}");
    }
}
