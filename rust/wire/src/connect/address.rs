//! Which addresses a connection may go to.
//!
//! A base URL comes from the operator, but what its name resolves to comes from whoever owns the zone: a name that
//! answers `169.254.169.254` turns the gateway into a reader of cloud credentials. Checking the text of a URL cannot
//! see that, so the check is made here, on the address that is about to be dialled, and that very address is dialled.
//!
//! Addresses fall into [`Zone`]s by the registries of special-purpose addresses (RFC 6890, IANA). IPv6 is read by an
//! allow list: nothing outside 2000::/3 is public but the two prefixes that carry IPv4 in service (mapped, NAT64).
//! An IPv6 address that carries an IPv4 address is judged by what it carries, too.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use Zone::{
    Benchmark, Broadcast, CarrierNat, Documentation, LinkLocal, Loopback, Metadata, Multicast, Private,
    Public, Reserved, UniqueLocal, Unspecified,
};

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Anywhere on the internet.
    Public,
    /// "This host" or "this network"; systems take it for loopback.
    Unspecified,
    /// This machine.
    Loopback,
    /// A private network (RFC 1918), a site-local one, or a local NAT64 prefix.
    Private,
    /// The local link.
    LinkLocal,
    /// A carrier's shared space (RFC 6598).
    CarrierNat,
    /// A private IPv6 network (RFC 4193).
    UniqueLocal,
    /// Many hosts at once.
    Multicast,
    /// All hosts of the link.
    Broadcast,
    /// Written in documents, routed nowhere.
    Documentation,
    /// For measuring network devices.
    Benchmark,
    /// Set aside for protocols, or not given out.
    Reserved,
    /// Where a cloud hands credentials to its own machines.
    Metadata,
}

/// How far a connection may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses only.
    Public,
    /// Private ones too: the operator said so. What a name resolves to is still no metadata address.
    Private,
    /// As [`Reach::Private`], and the operator wrote this very address, so it may be a metadata address.
    Named,
}

/// An address that may not be connected to; the text names the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The address, as resolved or written.
    pub address: IpAddr,
    /// Its zone.
    pub zone: Zone,
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remedy = match self.zone {
            Unspecified | Multicast | Broadcast => "which is never connected to",
            Metadata => "which takes allow_private and a URL that names the address itself",
            _ => "which takes allow_private",
        };
        write!(f, "{} is {}, {remedy}", self.address, self.zone)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Public => "a public address",
            Unspecified => "an unspecified address",
            Loopback => "a loopback address",
            Private => "a private address",
            LinkLocal => "a link-local address",
            CarrierNat => "a carrier-grade NAT address",
            UniqueLocal => "a unique local address",
            Multicast => "a multicast address",
            Broadcast => "a broadcast address",
            Documentation => "a documentation address",
            Benchmark => "a benchmarking address",
            Reserved => "a reserved address",
            Metadata => "a cloud metadata address",
        })
    }
}

/// Whether `address` may be connected to under `reach`.
///
/// # Errors
/// The refusal, with the zone that caused it.
pub fn check(address: IpAddr, reach: Reach) -> Result<(), Refusal> {
    let zone = zone_of(address);
    let permitted = match zone {
        Public => true,
        Unspecified | Multicast | Broadcast => false,
        Metadata => reach == Reach::Named,
        _ => reach != Reach::Public,
    };
    if permitted { Ok(()) } else { Err(Refusal { address, zone }) }
}

/// The zone of an address.
#[must_use]
pub fn zone_of(address: IpAddr) -> Zone {
    match address {
        IpAddr::V4(address) => zone_of_v4(address),
        IpAddr::V6(address) => zone_of_v6(address),
    }
}

fn zone_of_v4(address: Ipv4Addr) -> Zone {
    if METADATA_V4.contains(&address) {
        return Metadata;
    }
    let bits = u128::from(address.to_bits());
    let holds =
        |&&(prefix, length, _): &&Block<Ipv4Addr>| same(bits, u128::from(prefix.to_bits()), 32 - length);
    BLOCKS_V4.iter().find(holds).map_or(Public, |&(_, _, zone)| zone)
}

fn zone_of_v6(address: Ipv6Addr) -> Zone {
    let carried = carried(address).into_iter().flatten().map(zone_of_v4);
    if METADATA_V6.contains(&address) || carried.clone().any(|zone| zone == Metadata) {
        return Metadata;
    }
    let bits = address.to_bits();
    let holds = |&&(prefix, length, _): &&Block<Ipv6Addr>| same(bits, prefix.to_bits(), 128 - length);
    match BLOCKS_V6.iter().find(holds).map_or(Reserved, |&(_, _, zone)| zone) {
        Public => carried.into_iter().find(|&zone| zone != Public).unwrap_or(Public),
        zone => zone,
    }
}

/// Whether two addresses are alike but for their lowest `free` bits.
fn same(left: u128, right: u128, free: u32) -> bool {
    (left ^ right) >> free == 0
}

/// The IPv4 addresses inside an IPv6 address: mapped, translated or compatible, NAT64, 6to4, Teredo (server, client).
fn carried(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let bits = address.to_bits();
    let v4_at = |shift: u32| Some(Ipv4Addr::from_bits((bits >> shift) as u32));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            [v4_at(0), None]
        }
        // A local prefix is laid out as its owner likes (RFC 8215): read as /96 and as /48, which skips eight bits.
        [0x64, 0xff9b, 1, high, ..] => {
            let low = (bits >> 40) as u16;
            [v4_at(0), Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))]
        }
        [0x2002, ..] => [v4_at(80), None],
        [0x2001, 0, ..] => [v4_at(64), v4_at(0).map(|client| Ipv4Addr::from_bits(!client.to_bits()))],
        _ => [None, None],
    }
}

/// A prefix, its length, and what it is for.
type Block<Address> = (Address, u32, Zone);

/// The first block that holds an address says its zone; what none holds is public.
const BLOCKS_V4: &[Block<Ipv4Addr>] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, Unspecified),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, CarrierNat),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Documentation),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Reserved),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Benchmark),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Documentation),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Multicast),
    (Ipv4Addr::BROADCAST, 32, Broadcast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Reserved),
];

/// The first block that holds an address says its zone; what none holds is reserved.
const BLOCKS_V6: &[Block<Ipv6Addr>] = &[
    (Ipv6Addr::UNSPECIFIED, 128, Unspecified),
    (Ipv6Addr::LOCALHOST, 128, Loopback),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, Public),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, Public),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, Private),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, Benchmark),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Reserved),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Documentation),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Documentation),
    (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, Public),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, UniqueLocal),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, LinkLocal),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Private),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Multicast),
];

const METADATA_V4: &[Ipv4Addr] = &[
    Ipv4Addr::new(169, 254, 169, 254), // AWS, Google, Azure, Oracle, DigitalOcean, OpenStack and more
    Ipv4Addr::new(169, 254, 170, 2),   // AWS ECS, task credentials
    Ipv4Addr::new(169, 254, 170, 23),  // AWS EKS, pod identity
    Ipv4Addr::new(169, 254, 42, 42),   // Scaleway
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle Cloud Classic
    Ipv4Addr::new(168, 63, 129, 16),   // Azure's wire server: a public address by its number
];

const METADATA_V6: &[Ipv6Addr] = &[
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),   // AWS
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),    // AWS EKS, pod identity
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),    // Google
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),     // Scaleway
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe), // OpenStack
];

#[cfg(test)]
mod tests;
