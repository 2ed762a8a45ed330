//! `sockaddr`: the common forms of go-sockaddr's little language, over the interfaces that the host names.

mod address;

use std::cmp::Ordering;

use self::address::{NOT_FORWARDED, attribute, contains, is_in_rfc, math, parse};
use super::{Args, Func, FuncError};
use crate::{
    process::interfaces::Address,
    template::go::{ctx::Ctx, kind::Type, quote, value::Value},
};

pub(super) const FUNCS: &[Func] =
    &[Func::new("sockaddr", &[Type::String], Type::String, "addresses of this machine", sockaddr).variadic()];

const KNOWN: &str = "GetPrivateIP, GetPrivateIPs, GetPublicIP, GetPublicIPs, GetInterfaceIP \"NAME\", \
                     GetInterfaceIPs \"NAME\", GetAllInterfaces, GetPrivateInterfaces, GetPublicInterfaces or \
                     GetDefaultInterfaces, then include, exclude, limit, offset, sort, unique, math, and attr or join at the end";

/// Between two stages: addresses, or the text they became.
enum Stage {
    Addresses(Vec<Address>),
    Text(String),
}

fn sockaddr(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let parts: Vec<_> = (0..args.len()).map(|at| args.lossy(at)).collect();
    let line = parts.join(" ");
    let all = ctx.host.interfaces();
    let mut stage: Option<Stage> = None;
    for command in commands(&line) {
        let words = words(command).ok_or_else(unsupported)?;
        let (name, rest) = words.split_first().ok_or_else(unsupported)?;
        stage = Some(match stage {
            None => source(&all, name, rest)?,
            Some(Stage::Addresses(list)) => filter(list, name, rest)?,
            Some(Stage::Text(_)) => return Err(unsupported()),
        });
    }
    Ok(Value::text(match stage {
        Some(Stage::Text(text)) => text,
        // The original prints them as the structs that they are.
        Some(Stage::Addresses(_)) | None => return Err(unsupported()),
    }))
}

fn unsupported() -> FuncError {
    FuncError::new("sockaddr: the expression is not supported").hint(format!("use {KNOWN}"))
}

/// Parts between bars that stand outside of quotes.
fn commands(line: &str) -> impl Iterator<Item = &str> {
    let mut in_quotes = false;
    line.split(move |c| {
        in_quotes ^= c == '"';
        c == '|' && !in_quotes
    })
}

/// Blank-separated words; a word in quotes keeps its blanks.
fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = command.trim();
    while !rest.is_empty() {
        let length = if let Some(quoted) = rest.strip_prefix('"') {
            quoted.find('"')? + 2
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        let (word, tail) = rest.split_at(length);
        words.push(match quote::unquote(word) {
            Some(text) => String::from_utf8(text).ok()?,
            None => word.to_owned(),
        });
        rest = tail.trim_start();
    }
    Some(words)
}

fn is_private(address: &Address) -> bool {
    is_in_rfc(&address.ip, 6890) == Some(true)
}

fn is_forwardable(address: &Address) -> bool {
    is_in_rfc(&address.ip, NOT_FORWARDED) == Some(false)
}

fn source(all: &[Address], name: &str, rest: &[String]) -> Result<Stage, FuncError> {
    let sorted = |keys: &str, wanted: &dyn Fn(&Address) -> bool| -> Result<Vec<Address>, FuncError> {
        let list = all.iter().filter(|address| wanted(address)).cloned().collect();
        sort(list, keys)
    };
    let reachable = |address: &Address| is_forwardable(address) && has_flag(address, "up");
    let first = |list: &[Address]| list.first().map(|address| address.ip.to_string()).unwrap_or_default();
    let named = |name: &String| -> Result<Vec<Address>, FuncError> {
        sort(partition(all.to_vec(), "name", name)?.0, "type,size")
    };
    Ok(match (name, rest) {
        ("GetAllInterfaces", []) => Stage::Addresses(all.to_vec()),
        ("GetDefaultInterfaces", []) => {
            Stage::Addresses(all.iter().filter(|address| address.is_default).cloned().collect())
        }
        ("GetPrivateInterfaces" | "GetPrivateIP", []) => {
            let list = sorted("default,type,size", &|one| reachable(one) && is_private(one))?;
            if name == "GetPrivateIP" { Stage::Text(first(&list)) } else { Stage::Addresses(list) }
        }
        ("GetPublicInterfaces" | "GetPublicIP", []) => {
            let list = sorted("default,type,size", &|one| reachable(one) && !is_private(one))?;
            if name == "GetPublicIP" { Stage::Text(first(&list)) } else { Stage::Addresses(list) }
        }
        ("GetPrivateIPs", []) => {
            let list = sorted("type,size", &|one| is_private(one) && is_forwardable(one))?;
            Stage::Text(joined(&list, "address", " ")?)
        }
        ("GetPublicIPs", []) => {
            Stage::Text(joined(&sorted("type,size", &|one| !is_private(one))?, "address", " ")?)
        }
        ("GetInterfaceIP", [name]) => {
            let list: Vec<Address> = named(name)?.into_iter().filter(is_forwardable).collect();
            Stage::Text(first(&list))
        }
        ("GetInterfaceIPs", [name]) => Stage::Text(joined(&named(name)?, "address", " ")?),
        _ => return Err(unsupported()),
    })
}

fn filter(mut list: Vec<Address>, name: &str, rest: &[String]) -> Result<Stage, FuncError> {
    match (name, rest) {
        ("include", [key, wanted]) => list = partition(list, key, wanted)?.0,
        ("exclude", [key, wanted]) => list = partition(list, key, wanted)?.1,
        ("limit", [count]) => list.truncate(count.parse().map_err(|_| unsupported())?),
        ("offset", [count]) => {
            let count: isize = count.parse().map_err(|_| unsupported())?;
            if count.unsigned_abs() > list.len() {
                return Err(FuncError::new("sockaddr: unable to seek past the end of the interface array"));
            }
            let from = if count < 0 { list.len() - count.unsigned_abs() } else { count.unsigned_abs() };
            list.drain(..from);
        }
        ("sort", [keys]) => list = sort(list, keys)?,
        ("unique", [key]) if key == "address" || key == "name" => {
            let of = |address: &Address| if key == "name" { address.name.clone() } else { shown(address) };
            // Only neighbours are compared.
            list.dedup_by_key(|address| of(address));
        }
        ("math", [operation, value]) => {
            let moved = list.iter().map(|address| math(address, &operation.to_lowercase(), value));
            list = moved.collect::<Option<_>>().ok_or_else(unsupported)?;
        }
        ("attr", [key]) => {
            return Ok(Stage::Text(match list.first() {
                Some(address) => attribute(address, &key.to_lowercase()).ok_or_else(unsupported)?,
                None => String::new(),
            }));
        }
        ("join", [key, separator]) => return joined(&list, key, separator).map(Stage::Text),
        _ => return Err(unsupported()),
    }
    Ok(Stage::Addresses(list))
}

/// The address with its prefix, unless it is alone in its network.
fn shown(address: &Address) -> String {
    attribute(address, "string").unwrap_or_default()
}

/// What an address may satisfy.
type Test = Box<dyn Fn(&Address) -> bool>;

/// Those that fit, and the others. Of several things that are wanted some ask each address for each of them.
fn partition(list: Vec<Address>, key: &str, wanted: &str) -> Result<(Vec<Address>, Vec<Address>), FuncError> {
    let pattern =
        || regex_lite::Regex::new(wanted).map_err(|_| FuncError::new("sockaddr: bad regular expression"));
    let each = || wanted.split('|').map(str::to_owned).collect::<Vec<_>>();
    let tests: Vec<Test> = match key.to_lowercase().as_str() {
        "name" => {
            let pattern = pattern()?;
            vec![Box::new(move |address| pattern.is_match(&address.name))]
        }
        "address" => {
            let pattern = pattern()?;
            vec![Box::new(move |address| pattern.is_match(&shown(address)))]
        }
        "flag" | "flags" => {
            let flags = wanted.to_lowercase();
            if !flags.split('|').all(|flag| FLAGS.contains(&flag)) {
                return Err(unsupported());
            }
            vec![Box::new(move |address| has_flags(address, &flags))]
        }
        "type" => {
            let mut tests: Vec<Test> = Vec::new();
            for kind in each() {
                tests.push(match kind.to_lowercase().as_str() {
                    "ip" => Box::new(|_| true),
                    "ipv4" => Box::new(|address| address.ip.is_ipv4()),
                    "ipv6" => Box::new(|address| address.ip.is_ipv6()),
                    "unix" => Box::new(|_| false),
                    _ => return Err(unsupported()),
                });
            }
            return Ok(split(list, &tests, true));
        }
        "rfc" | "rfcs" => {
            let mut tests: Vec<Test> = Vec::new();
            for number in each() {
                let number: u32 = number.parse().map_err(|_| unsupported())?;
                if list.iter().any(|address| is_in_rfc(&address.ip, number).is_none()) {
                    return Err(unsupported());
                }
                tests.push(Box::new(move |address| is_in_rfc(&address.ip, number) == Some(true)));
            }
            tests
        }
        "network" => {
            let mut tests: Vec<Test> = Vec::new();
            for network in each() {
                let network = parse(&network).ok_or_else(unsupported)?;
                tests.push(Box::new(move |address| contains(network, &address.ip)));
            }
            tests
        }
        "size" => {
            let bits: u8 = wanted.parse().map_err(|_| unsupported())?;
            vec![Box::new(move |address| address.prefix == bits)]
        }
        _ => return Err(unsupported()),
    };
    Ok(split(list, &tests, false))
}

/// By each test in turn, or each address by all tests before the next one.
fn split(list: Vec<Address>, tests: &[Test], by_address: bool) -> (Vec<Address>, Vec<Address>) {
    let pairs: Vec<(&Address, bool)> = if by_address {
        list.iter().flat_map(|address| tests.iter().map(move |test| (address, test(address)))).collect()
    } else {
        tests.iter().flat_map(|test| list.iter().map(move |address| (address, test(address)))).collect()
    };
    let of = |wanted: bool| {
        let fitting = pairs.iter().filter(|(_, fits)| *fits == wanted);
        fitting.map(|(address, _)| (*address).clone()).collect()
    };
    (of(true), of(false))
}

const FLAGS: [&str; 12] = [
    "broadcast",
    "down",
    "forwardable",
    "global unicast",
    "interface-local multicast",
    "link-local multicast",
    "link-local unicast",
    "loopback",
    "multicast",
    "point-to-point",
    "unspecified",
    "up",
];

fn has_flag(address: &Address, flag: &str) -> bool {
    address.flags.split('|').any(|has| has == flag)
}

/// All flags of the interface that are named, or any property of the address.
fn has_flags(address: &Address, wanted: &str) -> bool {
    let names = || wanted.split('|');
    let of_interface: Vec<&str> = names()
        .filter_map(|name| match name {
            "point-to-point" => Some("pointtopoint"),
            "broadcast" | "loopback" | "multicast" | "up" => Some(name),
            _ => None,
        })
        .collect();
    // `down` wants no flag at all, which every interface has.
    let by_interface = names().any(|name| name == "down") || !of_interface.is_empty();
    let ip = address.ip;
    let is_link_local = match ip {
        std::net::IpAddr::V4(ip) => ip.is_link_local(),
        std::net::IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let is_special = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || is_link_local;
    by_interface && of_interface.iter().all(|flag| has_flag(address, flag))
        || names().any(|name| match name {
            "forwardable" => is_forwardable(address),
            "global unicast" => !is_special,
            "link-local unicast" => is_link_local,
            "loopback" => ip.is_loopback(),
            "multicast" => ip.is_multicast(),
            "unspecified" => ip.is_unspecified(),
            _ => false,
        })
}

/// Sorts by several keys as the original does, whose order leaves addresses of two families undecided.
fn sort(mut list: Vec<Address>, keys: &str) -> Result<Vec<Address>, FuncError> {
    let mut orders = Vec::new();
    for key in keys.to_lowercase().split(',').map(str::trim) {
        let (falling, name) = match key.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, key.strip_prefix('+').unwrap_or(key)),
        };
        if !["address", "default", "name", "port", "private", "size", "type"].contains(&name) {
            return Err(unsupported());
        }
        orders.push((falling, name.to_owned()));
    }
    let before = |a: &Address, b: &Address| {
        let decided = orders.iter().map(|(falling, name)| {
            let order = order(a, b, name);
            if *falling { order.reverse() } else { order }
        });
        decided.into_iter().find(|order| order.is_ne()) == Some(Ordering::Less)
    };
    for end in 1..list.len() {
        let mut at = end;
        while at > 0 && before(&list[at], &list[at - 1]) {
            list.swap(at, at - 1);
            at -= 1;
        }
    }
    Ok(list)
}

fn order(a: &Address, b: &Address, key: &str) -> Ordering {
    let same_family = a.ip.is_ipv4() == b.ip.is_ipv4();
    match key {
        "address" if same_family => a.ip.cmp(&b.ip),
        "size" if same_family => a.prefix.cmp(&b.prefix),
        "default" => b.is_default.cmp(&a.is_default),
        "name" => a.name.cmp(&b.name),
        "private" => is_private(b).cmp(&is_private(a)),
        "type" => a.ip.is_ipv6().cmp(&b.ip.is_ipv6()),
        _ => Ordering::Equal,
    }
}

fn joined(list: &[Address], key: &str, separator: &str) -> Result<String, FuncError> {
    let items = list.iter().map(|address| attribute(address, &key.to_lowercase()));
    Ok(items.collect::<Option<Vec<_>>>().ok_or_else(unsupported)?.join(separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Vec<Address> {
        let address = |name: &str, ip: &str, flags: &str| {
            let (ip, prefix) = parse(ip).unwrap();
            let (name, flags, is_default) = (name.to_owned(), flags.to_owned(), name == "eth1");
            Address { name, ip, prefix, flags, is_default }
        };
        vec![
            address("lo", "127.0.0.1/8", "up|loopback|running"),
            address("lo", "::1/128", "up|loopback|running"),
            address("eth0", "fd00::5/64", "up|broadcast|multicast"),
            address("eth0", "10.1.2.3/8", "up|broadcast|multicast"),
            address("eth1", "192.168.7.9/24", "up|broadcast"),
            address("eth1", "8.8.8.8/29", "up|broadcast"),
            address("eth2", "10.9.9.9/32", "broadcast"),
            address("eth2", "fe80::1/64", "broadcast"),
        ]
    }

    fn run(line: &str) -> String {
        let mut stage = None;
        for command in commands(line) {
            let words = words(command).unwrap();
            let (name, rest) = words.split_first().unwrap();
            let next = match stage.take() {
                None => source(&machine(), name, rest),
                Some(Stage::Addresses(list)) => filter(list, name, rest),
                Some(Stage::Text(_)) => panic!("text goes nowhere"),
            };
            match next {
                Ok(next) => stage = Some(next),
                Err(error) => return error.shown().to_owned(),
            }
        }
        match stage {
            Some(Stage::Text(text)) => text,
            Some(Stage::Addresses(list)) => joined(&list, "address", " ").unwrap(),
            None => String::new(),
        }
    }

    #[test]
    fn addresses_are_found_filtered_sorted_and_described() {
        for (line, expected) in [
            ("GetPrivateIP", "192.168.7.9"),
            ("GetPrivateIPs", "10.1.2.3 192.168.7.9 10.9.9.9 fd00::5"),
            ("GetPublicIP", "8.8.8.8"),
            ("GetInterfaceIP \"eth[01]\"", "10.1.2.3"),
            ("GetInterfaceIP lo", ""),
            ("GetInterfaceIPs lo", "127.0.0.1 ::1"),
            ("GetDefaultInterfaces", "192.168.7.9 8.8.8.8"),
            ("GetAllInterfaces | include type IPv6 | exclude flags loopback", "fd00::5 fe80::1"),
            ("GetAllInterfaces | include network \"10.0.0.0/8|8.8.8.0/24\"", "10.1.2.3 10.9.9.9 8.8.8.8"),
            ("GetAllInterfaces | include rfc 1918 | sort \"-address\" | limit 2", "192.168.7.9 10.9.9.9"),
            ("GetAllInterfaces | include flags forwardable | unique name | join name ,", "eth0,eth1,eth2"),
            ("GetAllInterfaces | offset -1 | attr string", "fe80::1/64"),
            ("GetAllInterfaces | include name nope | attr address", ""),
            ("GetInterfaceIPs eth1", "192.168.7.9 8.8.8.8"),
        ] {
            assert_eq!(run(line), expected, "{line}");
        }
        for line in [
            "Nope",
            "GetAllInterfaces | nope",
            "GetAllInterfaces | attr nope",
            "GetAllInterfaces | sort nope",
        ] {
            assert!(run(line).contains("not supported"), "{line}");
        }
    }

    #[test]
    fn an_address_knows_its_network() {
        let eth1 = |more: &str| run(&format!("GetAllInterfaces | include address \"^8.8\" | {more}"));
        for (key, expected) in [
            ("network", "8.8.8.8"),
            ("netmask", "255.255.255.248"),
            ("mask_bits", "29"),
            ("first_usable", "8.8.8.9"),
            ("last_usable", "8.8.8.14"),
            ("broadcast", "8.8.8.15"),
            ("size", "8"),
            ("hex", "08080808"),
            ("octets", "8 8 8 8"),
            ("uint32", "134744072"),
            ("type", "IPv4"),
        ] {
            assert_eq!(eth1(&format!("attr {key}")), expected, "{key}");
        }
        assert_eq!(eth1("math address +3"), "8.8.8.11");
        assert_eq!(eth1("math network -1"), "8.8.8.15");
        assert_eq!(eth1("math network +2"), "8.8.8.10");
        assert_eq!(eth1("math mask 8 | attr string"), "8.0.0.0/8");
        assert!(eth1("math address 3").contains("not supported"), "a sign is needed");
        let six = |more: &str| run(&format!("GetAllInterfaces | include address fd00 | {more}"));
        assert_eq!(six("attr last_usable"), "fd00::ffff:ffff:ffff:ffff");
        assert_eq!(six("attr netmask"), "ffff:ffff:ffff:ffff::");
        assert_eq!(six("attr size"), "18446744073709551616");
        assert_eq!(six("math address -6"), "fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    }

    #[test]
    fn quoted_words_keep_their_blanks() {
        assert_eq!(words(" join \"address\"  \", \"").unwrap(), ["join", "address", ", "]);
        assert!(words("join \"x").is_none());
    }
}
