//! What a plain YAML 1.1 scalar means, by the rules of Go's yaml.v2.

use super::{number, time_parse};
use crate::clock::zone::Zone;

/// The meaning of a plain scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// `~`, `null` or nothing.
    Null,
    /// One of the many words for true and false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number too big for `Int`.
    Uint(u64),
    /// A float.
    Float(f64),
    /// A date or a point in time; read as text, but written in quotes.
    Timestamp,
    /// Text.
    Text,
}

/// Resolves a plain scalar.
pub fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes().first() {
        Some(b'.') => number::parse_float(&text.replace('_', "")).map_or(Scalar::Text, Scalar::Float),
        Some(b'0'..=b'9' | b'+' | b'-') => numeric(text),
        _ => Scalar::Text,
    }
}

fn numeric(text: &str) -> Scalar {
    if is_timestamp(text) {
        return Scalar::Timestamp;
    }
    let plain = text.replace('_', "");
    match number::parse_prefixed(&plain) {
        Ok(number) => return Scalar::Int(number),
        Err(number::NumberError::Range) => {
            if let Ok(number) = number::parse_uint(plain.as_bytes()) {
                return Scalar::Uint(number);
            }
        }
        Err(number::NumberError::Syntax) => {}
    }
    if !is_float(&plain) {
        return Scalar::Text;
    }
    plain.parse().ok().filter(|float: &f64| float.is_finite()).map_or(Scalar::Text, Scalar::Float)
}

/// `1`, `1.`, `1.5e3`, `.5`, with a sign before.
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let mut rest = &text[whole..];
    if let Some(after) = rest.strip_prefix('.') {
        let fraction = digits(after);
        if whole == 0 && fraction == 0 {
            return false;
        }
        rest = &after[fraction..];
    } else if whole == 0 {
        return false;
    }
    match rest.strip_prefix(['e', 'E']) {
        None => rest.is_empty(),
        Some(exponent) => {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !exponent.is_empty() && exponent.bytes().all(|b| b.is_ascii_digit())
        }
    }
}

const TIMESTAMPS: [&str; 4] = [
    "2006-1-2T15:4:5.999999999Z07:00",
    "2006-1-2t15:4:5.999999999Z07:00",
    "2006-1-2 15:4:5.999999999",
    "2006-1-2",
];

fn is_timestamp(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits == 4
        && text[4..].starts_with('-')
        && TIMESTAMPS.iter().any(|layout| time_parse::parse(layout, text, &Zone::utc()).is_ok())
}

/// A number with base 60 in YAML 1.1 (`1:30`): text for us, but other readers differ, so it is written in quotes.
fn is_base_60(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let starts = first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else { return false };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    let sixty = |part: &str| {
        let digits = part.len() <= 2 && !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits && (part.len() == 1 || part.as_bytes()[0] < b'6')
    };
    starts
        && middle.iter().all(|part| sixty(part))
        && sixty(last)
        && fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// Whether text can stand without quotes and still read as this text.
pub fn reads_as_text(text: &str) -> bool {
    resolve(text) == Scalar::Text && !is_base_60(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_yaml_v2_means() {
        for (text, scalar) in [
            ("1", Scalar::Int(1)),
            ("0x1F", Scalar::Int(31)),
            ("010", Scalar::Int(8)),
            ("0o17", Scalar::Int(15)),
            ("-0b11", Scalar::Int(-3)),
            ("1_000", Scalar::Int(1000)),
            ("1__0", Scalar::Int(10)),
            ("09", Scalar::Float(9.0)),
            ("18446744073709551615", Scalar::Uint(u64::MAX)),
            ("18446744073709551616", Scalar::Float(18_446_744_073_709_551_616.0)),
            ("-9223372036854775809", Scalar::Float(-9_223_372_036_854_775_809.0)),
            ("1e3", Scalar::Float(1000.0)),
            (".5", Scalar::Float(0.5)),
            ("y", Scalar::Bool(true)),
            ("No", Scalar::Bool(false)),
            ("~", Scalar::Null),
            ("2024-01-02", Scalar::Timestamp),
            ("2024-13-02", Scalar::Text),
            ("1:30", Scalar::Text),
            (".", Scalar::Text),
            ("_1", Scalar::Text),
            ("yEs", Scalar::Text),
            ("0x", Scalar::Text),
            ("1e", Scalar::Text),
            ("+", Scalar::Text),
        ] {
            assert_eq!(resolve(text), scalar, "{text}");
        }
    }

    #[test]
    fn text_that_others_read_as_numbers_needs_quotes() {
        for text in ["1:30", "190:20:30", "1:3", "2024-1-2", "-.5", "0_", "12e03"] {
            assert!(!reads_as_text(text), "{text}");
        }
        for text in ["1:99", "a:b", "0x1G", "1,000", "inf", "nUll"] {
            assert!(reads_as_text(text), "{text}");
        }
    }
}
