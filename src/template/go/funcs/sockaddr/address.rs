//! One address of an interface: its attributes, its network, and arithmetic with it, as go-sockaddr has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::process::interfaces::Address;

/// Networks by the number of the RFC that sets them aside. The last is no RFC: what no router passes on.
const RFCS: &[(u32, &[&str])] = &[
    (919, &["255.255.255.255/32"]),
    (1112, &["224.0.0.0/4"]),
    (1122, &["0.0.0.0/8", "127.0.0.0/8"]),
    (1918, &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]),
    (2544, &["198.18.0.0/15"]),
    (2928, &["2001::/16"]),
    (3056, &["2002::/16"]),
    (3171, &["224.0.0.0/4"]),
    (3849, &["2001:db8::/32"]),
    (3927, &["169.254.0.0/16"]),
    (4193, &["fc00::/7"]),
    (4380, &["2001::/32"]),
    (4773, &["2001::/23"]),
    (4843, &["2001:10::/28"]),
    (5180, &["2001:200::/48"]),
    (5735, &["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15"]),
    (5737, &["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"]),
    (6052, &["64:ff9b::/96"]),
    (6333, &["192.0.0.0/29"]),
    (6598, &["100.64.0.0/10"]),
    (6666, &["100::/64"]),
    (
        6890,
        &[
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "::1/128",
            "::/128",
            "64:ff9b::/96",
            "::ffff:0:0/96",
            "100::/64",
            "2001::/16",
            "2002::/16",
            "fc00::/7",
            "fe80::/10",
        ],
    ),
    (7335, &["192.0.0.0/29"]),
    (
        NOT_FORWARDED,
        &[
            "0.0.0.0/8",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "::1/128",
            "::/128",
            "::ffff:0:0/96",
            "2001:db8::/32",
            "2001:10::/28",
            "fe80::/10",
        ],
    ),
];

/// Stands for the networks that no router passes on, where an RFC's number is expected.
pub(super) const NOT_FORWARDED: u32 = u32::MAX;

/// An address with its prefix, as `10.0.0.1/8` or alone.
pub(super) fn parse(text: &str) -> Option<(IpAddr, u8)> {
    let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
    let ip: IpAddr = ip.parse().ok()?;
    let prefix = prefix.map_or(Some(width(&ip)), |prefix| prefix.parse().ok())?;
    (prefix <= width(&ip)).then_some((ip, prefix))
}

/// Whether an RFC sets the address aside; `None` for one that has no networks here.
pub(super) fn is_in_rfc(ip: &IpAddr, rfc: u32) -> Option<bool> {
    let (_, networks) = RFCS.iter().find(|(number, _)| *number == rfc)?;
    Some(networks.iter().filter_map(|network| parse(network)).any(|network| contains(network, ip)))
}

/// Whether a network has this address.
pub(super) fn contains((network, prefix): (IpAddr, u8), ip: &IpAddr) -> bool {
    network.is_ipv4() == ip.is_ipv4() && first(&network, prefix) == first(ip, prefix)
}

/// An attribute by name; `None` where this family has none of that name.
pub(super) fn attribute(of: &Address, key: &str) -> Option<String> {
    let (ip, prefix, bits) = (of.ip, of.prefix, width(&of.ip));
    let (lowest, highest) = (first(&ip, prefix), last(&ip, prefix));
    let alone = prefix == bits;
    Some(match key {
        "name" => of.name.clone(),
        "flags" => of.flags.clone(),
        "address" | "host" => ip.to_string(),
        "string" if alone => ip.to_string(),
        "string" => format!("{ip}/{prefix}"),
        "type" => if ip.is_ipv4() { "IPv4" } else { "IPv6" }.to_owned(),
        "port" => "0".to_owned(),
        "network" => back(lowest, &ip).to_string(),
        "netmask" => back(mask(prefix, bits), &ip).to_string(),
        "mask_bits" => prefix.to_string(),
        "first_usable" if ip.is_ipv4() && prefix < 31 => back(lowest + 1, &ip).to_string(),
        "first_usable" => back(lowest, &ip).to_string(),
        "last_usable" if ip.is_ipv4() && prefix < 31 => back(highest - 1, &ip).to_string(),
        "last_usable" => back(highest, &ip).to_string(),
        // One more than fits.
        "size" if bits - prefix == 128 => "340282366920938463463374607431768211456".to_owned(),
        "size" => (1_u128 << (bits - prefix)).to_string(),
        "broadcast" if ip.is_ipv4() => back(highest, &ip).to_string(),
        "octets" => octets(&ip).iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        "hex" => octets(&ip).iter().map(|byte| format!("{byte:02x}")).collect(),
        "binary" => octets(&ip).iter().map(|byte| format!("{byte:08b}")).collect(),
        "uint32" if ip.is_ipv4() => number(&ip).to_string(),
        "uint128" if ip.is_ipv6() => number(&ip).to_string(),
        _ => return None,
    })
}

/// The address after arithmetic; `None` for an operation or number that there isn't.
pub(super) fn math(of: &Address, operation: &str, value: &str) -> Option<Address> {
    let (ip, bits) = (of.ip, width(&of.ip));
    let host = last(&ip, of.prefix) - first(&ip, of.prefix);
    let signed = || value.starts_with(['+', '-']).then(|| value.parse::<i64>().ok()).flatten();
    let whole = mask(bits, bits);
    let (ip, prefix) = match operation {
        "address" => (back(number(&ip).wrapping_add_signed(signed()?.into()) & whole, &ip), of.prefix),
        "network" => {
            let offset = signed()?;
            let size = u128::from(offset.unsigned_abs());
            let inside = if offset < 0 { host - ((size - 1) & host) } else { size & host };
            (back(first(&ip, of.prefix) + inside, &ip), of.prefix)
        }
        "mask" => {
            let prefix: u8 = value.parse().ok().filter(|prefix| *prefix <= bits)?;
            (back(first(&ip, prefix), &ip), of.prefix.min(prefix))
        }
        _ => return None,
    };
    Some(Address { ip, prefix, ..of.clone() })
}

fn width(ip: &IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn number(ip: &IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u32::from(*ip).into(),
        IpAddr::V6(ip) => u128::from(*ip),
    }
}

/// A number as an address of the same family as another.
fn back(number: u128, like: &IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        IpAddr::V6(_) => Ipv6Addr::from(number).into(),
    }
}

fn octets(ip: &IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// The upper `prefix` of `bits` bits.
fn mask(prefix: u8, bits: u8) -> u128 {
    let below = u32::from(bits - prefix);
    let all = u128::MAX.checked_shr(128 - u32::from(bits)).unwrap_or(0);
    all & !u128::MAX.checked_shr(128 - below).unwrap_or(0)
}

/// The lowest address of the network, as a number.
fn first(ip: &IpAddr, prefix: u8) -> u128 {
    number(ip) & mask(prefix, width(ip))
}

/// The highest one.
fn last(ip: &IpAddr, prefix: u8) -> u128 {
    number(ip) | (mask(width(ip), width(ip)) & !mask(prefix, width(ip)))
}
