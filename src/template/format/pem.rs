//! A PEM bundle: certificate, chain, private key, in the order in which servers want them.

use super::{FormatError, Out, nul_byte, utf8};
use crate::vault::value::{Map, Value};

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// Keys of the leaf, as Vault's PKI engine and Kubernetes call it, and as people do.
const LEAF: [&str; 5] = ["certificate", "cert", "crt", "tls.crt", "tls_crt"];
/// Keys of those who signed it.
const AUTHORITY: [&str; 8] =
    ["ca_chain", "chain", "issuing_ca", "ca", "ca.crt", "ca_crt", "cacert", "ca_certificate"];

pub(super) fn write(data: &Value, out: &mut Out) -> Result<(), FormatError> {
    let alone;
    let map = match data {
        Value::Map(map) => map.as_ref(),
        other => {
            alone = Map::from([("".into(), other.clone())]);
            &alone
        }
    };
    let mut found = Vec::new();
    for (key, value) in map {
        match value {
            Value::String(text) => blocks(key, utf8(key, text.as_str())?, &mut found)?,
            Value::List(items) => {
                for item in items.iter() {
                    if let Value::String(text) = item {
                        blocks(key, utf8(key, text.as_str())?, &mut found)?;
                    }
                }
            }
            _ => {}
        }
    }
    if found.is_empty() {
        let names: Vec<&str> = map.keys().map(AsRef::as_ref).collect();
        let what = match data {
            Value::Map(map) if map.is_empty() => "the secret is empty, without PEM text".to_owned(),
            Value::Map(_) => format!("no key of the secret holds PEM text (there are: {})", names.join(", ")),
            _ => "the value is no PEM text".to_owned(),
        };
        return Err(FormatError::new("", what).hint("a PEM text begins with -----BEGIN"));
    }
    found.sort_by_key(|(rank, _)| *rank);
    let mut written: Vec<&str> = Vec::new();
    for (_, block) in found {
        // The issuer is often said twice, by itself and in the chain.
        if !written.contains(&block) {
            written.push(block);
            out.push_str(block);
            out.push('\n');
        }
    }
    Ok(())
}

/// The blocks of a text, each with its place in the file: leaf, other certificates, authorities, keys.
fn blocks<'t>(key: &str, text: &'t str, found: &mut Vec<(u8, &'t str)>) -> Result<(), FormatError> {
    let broken = || {
        FormatError::new(key, "holds a PEM block without an end").hint("compare its BEGIN with its END line")
    };
    let lower = key.to_lowercase();
    let mut rest = text;
    while let Some(start) = rest.find(BEGIN) {
        let block = &rest[start..];
        let label = block[BEGIN.len()..].split(DASHES).next().unwrap_or_default();
        let end = format!("-----END {label}{DASHES}");
        let length = block.find(&end).ok_or_else(broken)? + end.len();
        if block[..length].contains('\0') {
            return Err(nul_byte(key, "a PEM file"));
        }
        let rank = if label.ends_with("PRIVATE KEY") {
            3
        } else if LEAF.contains(&lower.as_str()) {
            0
        } else if AUTHORITY.contains(&lower.as_str()) {
            2
        } else {
            1
        };
        found.push((rank, &block[..length]));
        rest = &block[length..];
    }
    Ok(())
}
