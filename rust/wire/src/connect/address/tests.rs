use super::*;

/// Every block's first and last address, the neighbours outside it, and the addresses that matter by themselves.
const V4: &[(&str, Zone)] = &[
    ("0.0.0.0", Unspecified),
    ("0.0.0.1", Unspecified),
    ("0.255.255.255", Unspecified),
    ("1.0.0.0", Public),
    ("1.1.1.1", Public),
    ("8.8.8.8", Public),
    ("9.255.255.255", Public),
    ("10.0.0.0", Private),
    ("10.1.2.3", Private),
    ("10.255.255.255", Private),
    ("11.0.0.0", Public),
    ("93.184.216.34", Public),
    ("100.63.255.255", Public),
    ("100.64.0.0", CarrierNat),
    ("100.100.100.199", CarrierNat),
    ("100.100.100.200", Metadata),
    ("100.100.100.201", CarrierNat),
    ("100.127.255.255", CarrierNat),
    ("100.128.0.0", Public),
    ("126.255.255.255", Public),
    ("127.0.0.0", Loopback),
    ("127.0.0.1", Loopback),
    ("127.1.2.3", Loopback),
    ("127.255.255.255", Loopback),
    ("128.0.0.0", Public),
    ("168.63.129.15", Public),
    ("168.63.129.16", Metadata),
    ("168.63.129.17", Public),
    ("169.253.255.255", Public),
    ("169.254.0.0", LinkLocal),
    ("169.254.42.42", Metadata),
    ("169.254.169.253", LinkLocal),
    ("169.254.169.254", Metadata),
    ("169.254.169.255", LinkLocal),
    ("169.254.170.2", Metadata),
    ("169.254.170.23", Metadata),
    ("169.254.255.255", LinkLocal),
    ("169.255.0.0", Public),
    ("172.15.255.255", Public),
    ("172.16.0.0", Private),
    ("172.17.0.1", Private),
    ("172.31.255.255", Private),
    ("172.32.0.0", Public),
    ("191.255.255.255", Public),
    ("192.0.0.0", Reserved),
    ("192.0.0.8", Reserved),
    ("192.0.0.170", Reserved),
    ("192.0.0.192", Metadata),
    ("192.0.0.255", Reserved),
    ("192.0.1.0", Public),
    ("192.0.1.255", Public),
    ("192.0.2.0", Documentation),
    ("192.0.2.255", Documentation),
    ("192.0.3.0", Public),
    ("192.88.98.255", Public),
    ("192.88.99.0", Reserved),
    ("192.88.99.1", Reserved),
    ("192.88.99.255", Reserved),
    ("192.88.100.0", Public),
    ("192.167.255.255", Public),
    ("192.168.0.0", Private),
    ("192.168.1.1", Private),
    ("192.168.255.255", Private),
    ("192.169.0.0", Public),
    ("198.17.255.255", Public),
    ("198.18.0.0", Benchmark),
    ("198.19.255.255", Benchmark),
    ("198.20.0.0", Public),
    ("198.51.99.255", Public),
    ("198.51.100.0", Documentation),
    ("198.51.100.255", Documentation),
    ("198.51.101.0", Public),
    ("203.0.112.255", Public),
    ("203.0.113.0", Documentation),
    ("203.0.113.255", Documentation),
    ("203.0.114.0", Public),
    ("223.255.255.255", Public),
    ("224.0.0.0", Multicast),
    ("224.0.0.251", Multicast),
    ("239.255.255.255", Multicast),
    ("240.0.0.0", Reserved),
    ("255.255.255.254", Reserved),
    ("255.255.255.255", Broadcast),
];

const V6: &[(&str, Zone)] = &[
    ("::", Unspecified),
    ("::1", Loopback),
    ("::2", Reserved),
    // Compatible: never public, whatever is inside.
    ("::127.0.0.1", Reserved),
    ("::10.0.0.1", Reserved),
    ("::8.8.8.8", Reserved),
    ("::169.254.169.254", Metadata),
    // Mapped.
    ("::ffff:0.0.0.0", Unspecified),
    ("::ffff:127.0.0.1", Loopback),
    ("::ffff:7f00:1", Loopback),
    ("::ffff:10.0.0.1", Private),
    ("::ffff:192.168.0.1", Private),
    ("::ffff:169.254.1.1", LinkLocal),
    ("::ffff:169.254.169.254", Metadata),
    ("::ffff:a9fe:a9fe", Metadata),
    ("::ffff:100.100.100.200", Metadata),
    ("::ffff:224.0.0.1", Multicast),
    ("::ffff:255.255.255.255", Broadcast),
    ("::ffff:8.8.8.8", Public),
    // Translated (SIIT).
    ("::ffff:0:127.0.0.1", Reserved),
    ("::ffff:0:8.8.8.8", Reserved),
    ("::ffff:0:169.254.169.254", Metadata),
    // NAT64, the well-known prefix and its neighbours.
    ("64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", Reserved),
    ("64:ff9b::", Unspecified),
    ("64:ff9b::127.0.0.1", Loopback),
    ("64:ff9b::10.0.0.1", Private),
    ("64:ff9b::172.16.0.1", Private),
    ("64:ff9b::100.64.0.1", CarrierNat),
    ("64:ff9b::169.254.169.254", Metadata),
    ("64:ff9b::8.8.8.8", Public),
    ("64:ff9b::ffff:ffff", Broadcast),
    ("64:ff9b::1:0:0", Reserved),
    // NAT64, local prefixes: the last 32 bits, or as RFC 6052 lays out a /48.
    ("64:ff9b:1::", Private),
    ("64:ff9b:1::8.8.8.8", Private),
    ("64:ff9b:1::169.254.169.254", Metadata),
    ("64:ff9b:1:a9fe:a9:fe00::", Metadata),
    ("64:ff9b:1:ffff:ffff:ffff:ffff:ffff", Private),
    ("64:ff9b:2::", Reserved),
    ("100::", Reserved),
    ("100::1", Reserved),
    ("1fff:ffff::1", Reserved),
    ("2000::", Public),
    // Teredo: server in front, client behind and inverted. And the rest of 2001::/23.
    ("2001::", Reserved),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Reserved),
    ("2001:0:a9fe:a9fe::1", Metadata),
    ("2001:0:808:808:0:0:5601:5601", Metadata),
    ("2001:1::1", Reserved),
    ("2001:2::", Benchmark),
    ("2001:2:0:ffff:ffff:ffff:ffff:ffff", Benchmark),
    ("2001:2:1::", Reserved),
    ("2001:3::1", Reserved),
    ("2001:10::1", Reserved),
    ("2001:20::1", Reserved),
    ("2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Reserved),
    ("2001:200::", Public),
    ("2001:4860:4860::8888", Public),
    ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", Public),
    ("2001:db8::", Documentation),
    ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Documentation),
    ("2001:db9::", Public),
    // 6to4.
    ("2002:7f00:1::1", Loopback),
    ("2002:a00:1::", Private),
    ("2002:c0a8:101::1", Private),
    ("2002:a9fe:101::1", LinkLocal),
    ("2002:a9fe:a9fe::1", Metadata),
    ("2002:e000:1::", Multicast),
    ("2002:808:808::1", Public),
    ("2002::", Unspecified),
    ("2003::1", Public),
    ("2606:4700:4700::1111", Public),
    ("2a00:1450:4001:829::200e", Public),
    ("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Public),
    ("3fff::", Documentation),
    ("3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Documentation),
    ("3fff:1000::", Public),
    ("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Public),
    ("4000::", Reserved),
    ("5f00::1", Reserved),
    ("fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reserved),
    ("fc00::", UniqueLocal),
    ("fd00::1", UniqueLocal),
    ("fd00:42::42", Metadata),
    ("fd00:ec2::23", Metadata),
    ("fd00:ec2::253", UniqueLocal),
    ("fd00:ec2::254", Metadata),
    ("fd00:ec2::255", UniqueLocal),
    ("fd20:ce::254", Metadata),
    ("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", UniqueLocal),
    ("fe00::", Reserved),
    ("fe80::", LinkLocal),
    ("fe80::1", LinkLocal),
    ("fe80::a9fe:a9fe", Metadata),
    ("febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", LinkLocal),
    ("fec0::", Private),
    ("feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Private),
    ("ff00::", Multicast),
    ("ff02::1", Multicast),
    ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Multicast),
];

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text} is no address"))
}

#[test]
fn every_address_falls_into_its_zone() {
    assert!(V4.len() + V6.len() >= 150, "{} cases", V4.len() + V6.len());
    for &(text, zone) in V4.iter().chain(V6) {
        assert_eq!(zone_of(address(text)), zone, "{text}");
    }
}

#[test]
fn what_carries_an_ipv4_address_is_at_most_as_public() {
    for &(text, zone) in V4 {
        let v4: Ipv4Addr = text.parse().unwrap();
        let [a, b, c, d] = v4.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let mapped = v4.to_ipv6_mapped();
        let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low);
        let six_to_four = Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1);
        for carrier in [mapped, nat64, six_to_four] {
            assert_eq!(zone_of(carrier.into()), zone, "{text} in {carrier}");
        }
        let compatible = Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low);
        let teredo_server = Ipv6Addr::new(0x2001, 0, high, low, 0, 0, 0, 0);
        let teredo_client = Ipv6Addr::new(0x2001, 0, 0x808, 0x808, 0, 0, !high, !low);
        for carrier in [compatible, teredo_server, teredo_client] {
            let found = zone_of(carrier.into());
            assert_ne!(found, Public, "{text} in {carrier}");
            assert_eq!(found == Metadata, zone == Metadata, "{text} in {carrier}");
        }
    }
}

#[test]
fn reach_decides_which_zones_are_refused() {
    for &(text, zone) in V4.iter().chain(V6) {
        let permitted = |reach| check(address(text), reach).is_ok();
        assert_eq!(permitted(Reach::Public), zone == Public, "{text}");
        let never = [Unspecified, Multicast, Broadcast].contains(&zone);
        assert_eq!(permitted(Reach::Private), !never && zone != Metadata, "{text}");
        assert_eq!(permitted(Reach::Named), !never, "{text}");
    }
}

#[test]
fn a_refusal_names_the_rule() {
    let text = |target: &str, reach| check(address(target), reach).unwrap_err().to_string();
    assert_eq!(text("10.0.0.1", Reach::Public), "10.0.0.1 is a private address, which takes allow_private");
    assert_eq!(
        text("169.254.169.254", Reach::Private),
        "169.254.169.254 is a cloud metadata address, which takes allow_private and a URL that names the address itself"
    );
    assert_eq!(
        text("0.0.0.0", Reach::Named),
        "0.0.0.0 is an unspecified address, which is never connected to"
    );
    assert_eq!(text("::1", Reach::Public), "::1 is a loopback address, which takes allow_private");
}
