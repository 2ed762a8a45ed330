//! `sockaddr`: the common forms of go-sockaddr's little language, over the interfaces that the host names.

use std::net::IpAddr;

use super::{Args, Func, FuncError};
use crate::template::go::{ctx::Ctx, kind::Type, quote, value::Value};

pub(super) const FUNCS: &[Func] =
    &[Func::new("sockaddr", &[Type::String], Type::String, "addresses of this machine", sockaddr).variadic()];

const KNOWN: &str = "GetPrivateIP, GetPrivateIPs, GetPublicIP, GetPublicIPs, GetInterfaceIP \"NAME\", \
                     GetInterfaceIPs \"NAME\", GetAllInterfaces, GetPrivateInterfaces, GetPublicInterfaces or \
                     GetDefaultInterfaces, then include, exclude, limit, offset, sort, unique, attr, join";

/// An interface with one of its addresses.
#[derive(Clone, PartialEq, Eq)]
struct Address {
    name: String,
    ip: IpAddr,
    flags: String,
}

/// Between two stages: addresses, or the text they became.
enum Stage {
    Addresses(Vec<Address>),
    Text(String),
}

fn sockaddr(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let parts: Vec<_> = (0..args.len()).map(|at| args.lossy(at)).collect();
    let line = parts.join(" ");
    let all: Vec<Address> =
        ctx.host.interfaces().into_iter().map(|(name, ip, flags)| Address { name, ip, flags }).collect();
    let mut stage: Option<Stage> = None;
    for command in line.split('|') {
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
        Some(Stage::Addresses(list)) => joined(&list, "address", " ")?,
        None => return Err(unsupported()),
    }))
}

fn unsupported() -> FuncError {
    FuncError::new("sockaddr: the expression is not supported").hint(format!("use {KNOWN}"))
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

fn is_private(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || matches!(ip.octets(), [100, 64..=127, ..]),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

fn is_public(ip: &IpAddr) -> bool {
    let local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !is_private(ip) && !ip.is_loopback() && !ip.is_unspecified() && !local
}

fn source(all: &[Address], name: &str, rest: &[String]) -> Result<Stage, FuncError> {
    let usable = |wanted: fn(&IpAddr) -> bool| -> Vec<Address> {
        let mut list: Vec<Address> = all
            .iter()
            .filter(|address| {
                address.flags.contains("up") && !address.ip.is_loopback() && wanted(&address.ip)
            })
            .cloned()
            .collect();
        list.sort_by_key(|address| address.ip.is_ipv6());
        list
    };
    let first = |list: Vec<Address>| list.first().map(|address| address.ip.to_string()).unwrap_or_default();
    let on = |wanted: &String| -> Vec<Address> {
        all.iter().filter(|address| address.name == *wanted).cloned().collect()
    };
    Ok(match (name, rest) {
        ("GetPrivateIP", []) => Stage::Text(first(usable(is_private))),
        ("GetPublicIP", []) => Stage::Text(first(usable(is_public))),
        ("GetPrivateIPs", []) => Stage::Text(joined(&usable(is_private), "address", " ")?),
        ("GetPublicIPs", []) => Stage::Text(joined(&usable(is_public), "address", " ")?),
        ("GetInterfaceIP", [name]) => Stage::Text(first(on(name))),
        ("GetInterfaceIPs", [name]) => Stage::Text(joined(&on(name), "address", " ")?),
        ("GetAllInterfaces", []) => Stage::Addresses(all.to_vec()),
        ("GetPrivateInterfaces", []) => Stage::Addresses(usable(is_private)),
        ("GetPublicInterfaces", []) => Stage::Addresses(usable(is_public)),
        ("GetDefaultInterfaces", []) => Stage::Addresses(usable(|_| true)),
        _ => return Err(unsupported()),
    })
}

fn filter(mut list: Vec<Address>, name: &str, rest: &[String]) -> Result<Stage, FuncError> {
    match (name, rest) {
        ("include" | "exclude", [key, wanted]) => {
            let keep = name == "include";
            let mut kept = Vec::new();
            for address in list {
                if matches(&address, key, wanted)? == keep {
                    kept.push(address);
                }
            }
            list = kept;
        }
        ("limit", [count]) => list.truncate(count.parse().map_err(|_| unsupported())?),
        ("offset", [count]) => {
            let count: usize = count.parse().map_err(|_| unsupported())?;
            list.drain(..count.min(list.len()));
        }
        ("sort", [key]) if key.trim_start_matches(['+', '-']) == "address" => {
            list.sort_by_key(|address| address.ip);
            if key.starts_with('-') {
                list.reverse();
            }
        }
        ("sort", [key]) if key.trim_start_matches(['+', '-']) == "name" => {
            list.sort_by(|a, b| a.name.cmp(&b.name));
            if key.starts_with('-') {
                list.reverse();
            }
        }
        ("unique", [key]) => {
            let mut seen = std::collections::BTreeSet::new();
            let mut kept = Vec::new();
            for address in list {
                if seen.insert(attribute(&address, key)?) {
                    kept.push(address);
                }
            }
            list = kept;
        }
        ("attr", [key]) => {
            return Ok(Stage::Text(match list.first() {
                Some(address) => attribute(address, key)?,
                None => String::new(),
            }));
        }
        ("join", [key, separator]) => return joined(&list, key, separator).map(Stage::Text),
        _ => return Err(unsupported()),
    }
    Ok(Stage::Addresses(list))
}

fn matches(address: &Address, key: &str, wanted: &str) -> Result<bool, FuncError> {
    let pattern =
        || regex_lite::Regex::new(wanted).map_err(|_| FuncError::new("sockaddr: bad regular expression"));
    Ok(match key {
        "name" => pattern()?.is_match(&address.name),
        "address" => pattern()?.is_match(&address.ip.to_string()),
        "type" => match wanted.to_ascii_lowercase().as_str() {
            "ip" => true,
            "ipv4" => address.ip.is_ipv4(),
            "ipv6" => address.ip.is_ipv6(),
            _ => false,
        },
        "flag" | "flags" => wanted.split('|').all(|flag| address.flags.split('|').any(|have| have == flag)),
        "rfc" if wanted == "1918" => matches!(address.ip, IpAddr::V4(ip) if ip.is_private()),
        "rfc" if wanted == "6890" => !is_public(&address.ip),
        _ => return Err(unsupported()),
    })
}

fn attribute(address: &Address, key: &str) -> Result<String, FuncError> {
    Ok(match key {
        "address" | "host" | "string" => address.ip.to_string(),
        "name" => address.name.clone(),
        "flags" => address.flags.clone(),
        "type" => if address.ip.is_ipv4() { "IPv4" } else { "IPv6" }.to_owned(),
        _ => return Err(unsupported()),
    })
}

fn joined(list: &[Address], key: &str, separator: &str) -> Result<String, FuncError> {
    let items: Vec<String> = list.iter().map(|address| attribute(address, key)).collect::<Result<_, _>>()?;
    Ok(items.join(separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Vec<Address> {
        let address = |name: &str, ip: &str, flags: &str| Address {
            name: name.to_owned(),
            ip: ip.parse().unwrap(),
            flags: flags.to_owned(),
        };
        vec![
            address("lo", "127.0.0.1", "up|loopback"),
            address("eth0", "fd00::5", "up|broadcast"),
            address("eth0", "10.1.2.3", "up|broadcast"),
            address("eth1", "203.0.113.9", "up|broadcast"),
            address("eth2", "10.9.9.9", "broadcast"),
        ]
    }

    fn text(stage: Result<Stage, FuncError>) -> String {
        match stage {
            Ok(Stage::Text(text)) => text,
            Ok(Stage::Addresses(list)) => joined(&list, "address", " ").unwrap(),
            Err(error) => error.shown().to_owned(),
        }
    }

    #[test]
    fn the_private_and_the_public_address_are_told_apart() {
        assert_eq!(text(source(&machine(), "GetPrivateIP", &[])), "10.1.2.3");
        assert_eq!(text(source(&machine(), "GetPrivateIPs", &[])), "10.1.2.3 fd00::5");
        assert_eq!(text(source(&machine(), "GetPublicIP", &[])), "203.0.113.9");
        assert_eq!(text(source(&machine(), "GetInterfaceIP", &["eth1".to_owned()])), "203.0.113.9");
    }

    #[test]
    fn filters_narrow_a_list() {
        let include = filter(machine(), "include", &["type".to_owned(), "IPv4".to_owned()]);
        let Ok(Stage::Addresses(list)) = include else { panic!("no list") };
        assert_eq!(list.len(), 4);
        let list = match filter(list, "exclude", &["name".to_owned(), "^(lo|eth2)$".to_owned()]) {
            Ok(Stage::Addresses(list)) => list,
            _ => panic!("no list"),
        };
        assert_eq!(text(filter(list, "join", &["name".to_owned(), ",".to_owned()])), "eth0,eth1");
        assert!(text(filter(machine(), "math", &[])).contains("not supported"));
    }

    #[test]
    fn quoted_words_keep_their_blanks() {
        assert_eq!(words(" join \"address\"  \", \"").unwrap(), ["join", "address", ", "]);
        assert!(words("join \"x").is_none());
    }
}
