//! Booleans, numbers, durations and file modes as the Go programs around Vault read them.

use std::time::Duration;

use thiserror::Error;

use crate::{
    clock::go_duration::{self, Flaw},
    listener::Endpoint,
};

/// Why a text is not the value it should be. `Display` says what would have been right, never the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnitError {
    /// Not in Go's list of booleans.
    #[error("true or false (also 1, 0, t, f)")]
    Bool,
    /// Not a whole number, or too large.
    #[error("a whole number")]
    Int,
    /// Not a duration.
    #[error("a duration, for instance \"30s\", \"1h30m\", \"250ms\", \"2d\", or a number of seconds")]
    Duration,
    /// A duration that would last longer than 292 years.
    #[error("a duration of at most 292 years")]
    TooLong,
    /// Not a place that only this machine can reach.
    #[error(
        "a loopback address and a port, for instance 127.0.0.1:9102, or unix:///path/to/socket (only this machine, \
         or this pod, may see the status)"
    )]
    LocalEndpoint,
    /// Not an octal file mode.
    #[error("an octal file mode, for instance \"0640\"")]
    Mode,
    /// Neither an absolute path nor the word that stands for none.
    #[error("an absolute path, or \"off\"")]
    PathOrOff,
}

/// A loopback address with a port, or a unix socket.
///
/// # Errors
/// Any other text.
pub fn local_endpoint(text: &str) -> Result<Endpoint, UnitError> {
    let endpoint = text.parse::<Endpoint>().map_err(|_| UnitError::LocalEndpoint)?;
    if endpoint.is_local() { Ok(endpoint) } else { Err(UnitError::LocalEndpoint) }
}

/// Go's `strconv.ParseBool`: `1 t T TRUE true True` and `0 f F FALSE false False`, nothing else.
///
/// Source: <https://pkg.go.dev/strconv#ParseBool>.
///
/// # Errors
/// Any other text, the empty one included.
pub fn go_bool(text: &str) -> Result<bool, UnitError> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(UnitError::Bool),
    }
}

/// A boolean in a configuration: as [`go_bool`], but empty is false and words count in any case (`TrUe`), as do
/// numbers (non-zero is true).
///
/// # Errors
/// Any other text.
pub fn flexible_bool(text: &str) -> Result<bool, UnitError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(false);
    }
    if let Ok(number) = text.parse::<i64>() {
        return Ok(number != 0);
    }
    go_bool(text).or_else(|_| go_bool(&text.to_ascii_lowercase()))
}

/// The word that stands for no path.
pub const OFF: &str = "off";

/// An absolute path as it is, or [`OFF`] (in any case, also empty and `false`).
///
/// # Errors
/// Any other text.
pub fn absolute_or_off(text: &str) -> Result<String, UnitError> {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "" | "false" | OFF => Ok(OFF.to_owned()),
        _ if text.starts_with('/') => Ok(text.to_owned()),
        _ => Err(UnitError::PathOrOff),
    }
}

/// A whole number in decimal; empty is 0.
///
/// # Errors
/// Any other text.
pub fn int(text: &str) -> Result<i64, UnitError> {
    match text.trim() {
        "" => Ok(0),
        text => text.parse().map_err(|_| UnitError::Int),
    }
}

/// A whole number with Go's base detection: `0640` and `0o640` are octal, `0x1F` is hexadecimal, `0b1` binary.
///
/// # Errors
/// Any other text.
pub fn int_with_base(text: &str) -> Result<i64, UnitError> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.starts_with(['+', '-']) {
        return Err(UnitError::Int);
    }
    let lower = digits.to_ascii_lowercase();
    let (digits, base) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    if digits.starts_with(['+', '-']) {
        return Err(UnitError::Int);
    }
    i64::from_str_radix(&format!("{sign}{digits}"), base).map_err(|_| UnitError::Int)
}

/// A duration in a configuration: empty is 0, a whole number is seconds, a whole number with `d` is days, anything
/// else is a Go duration (`1h30m`, `1.5s`, `250ms`). A negative one counts as 0.
///
/// # Errors
/// Any other text; more than 292 years.
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    duration_nanos(text).map(clamped)
}

/// As [`duration`], in nanoseconds and with its sign.
///
/// # Errors
/// As [`duration`].
pub fn duration_nanos(text: &str) -> Result<i64, UnitError> {
    const SECOND: i64 = 1_000_000_000;
    let text = text.trim();
    if text.is_empty() {
        return Ok(0);
    }
    let scaled = |number: i64, unit: i64| number.checked_mul(unit).ok_or(UnitError::TooLong);
    if let Ok(seconds) = text.parse::<i64>() {
        return scaled(seconds, SECOND);
    }
    if let Some(days) = text.strip_suffix('d') {
        return scaled(days.parse().map_err(|_| UnitError::Duration)?, 86_400 * SECOND);
    }
    go_duration_nanos(text)
}

/// As Go alone reads it ([`go_duration::parse`]); a negative one counts as 0.
///
/// # Errors
/// Any other text; more than 292 years.
pub fn go_duration(text: &str) -> Result<Duration, UnitError> {
    go_duration_nanos(text).map(clamped)
}

fn clamped(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

fn go_duration_nanos(text: &str) -> Result<i64, UnitError> {
    go_duration::parse(text).map_err(|flaw| match flaw {
        Flaw::TooLong => UnitError::TooLong,
        Flaw::Form | Flaw::MissingUnit | Flaw::UnknownUnit(_) => UnitError::Duration,
    })
}

/// A file mode written in octal digits (`640`, `0640`, `0o640`), at most 07777; empty is 0.
///
/// # Errors
/// Any other text.
pub fn mode(text: &str) -> Result<u32, UnitError> {
    let text = text.trim();
    let digits = text.strip_prefix("0o").unwrap_or(text);
    if digits.is_empty() {
        return if text.is_empty() { Ok(0) } else { Err(UnitError::Mode) };
    }
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(UnitError::Mode);
    }
    u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777).ok_or(UnitError::Mode)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn go_bool_takes_exactly_go_s_words() {
        for (text, expected) in
            [("1", true), ("t", true), ("TRUE", true), ("0", false), ("F", false), ("False", false)]
        {
            assert_eq!(go_bool(text), Ok(expected), "{text}");
        }
        for text in ["", "yes", "on", "tRUE", " true", "2"] {
            assert_eq!(go_bool(text), Err(UnitError::Bool), "{text}");
        }
    }

    #[test]
    fn a_flexible_bool_also_takes_nothing_numbers_and_any_case() {
        for (text, expected) in
            [("", false), ("tRuE", true), ("2", true), ("-1", true), ("00", false), (" false ", false)]
        {
            assert_eq!(flexible_bool(text), Ok(expected), "{text}");
        }
        assert_eq!(flexible_bool("yes"), Err(UnitError::Bool));
    }

    #[test]
    fn numbers_know_their_base_where_go_detects_it() {
        for (text, expected) in
            [("0640", 416), ("0x1F", 31), ("0o17", 15), ("0b101", 5), ("-3", -3), ("0", 0), ("10", 10)]
        {
            assert_eq!(int_with_base(text), Ok(expected), "{text}");
        }
        for text in ["", "08", "0x", "--1", "-+1", "0x-1", "1_0", "9223372036854775808", "a"] {
            assert_eq!(int_with_base(text), Err(UnitError::Int), "{text}");
        }
        assert_eq!(int("0640"), Ok(640));
        assert_eq!(int(""), Ok(0));
        assert_eq!(int("3x"), Err(UnitError::Int));
    }

    #[test]
    fn durations_take_seconds_days_and_go_s_form() {
        let ms = Duration::from_millis;
        for (text, expected) in [
            ("", ms(0)),
            ("0", ms(0)),
            ("30", ms(30_000)),
            ("2d", ms(172_800_000)),
            ("1h30m", ms(5_400_000)),
            ("250ms", ms(250)),
            ("1.5s", ms(1_500)),
            (".5s", ms(500)),
            ("1.s", ms(1_000)),
            ("+5s", ms(5_000)),
            ("1000us", ms(1)),
            ("1000\u{b5}s", ms(1)),
            ("1000\u{3bc}s", ms(1)),
            ("-5s", ms(0)),
        ] {
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
        assert_eq!(duration_nanos("-5s"), Ok(-5_000_000_000));
        assert_eq!(duration_nanos("-1"), Ok(-1_000_000_000));
        assert_eq!(duration_nanos("1.0000000000000000000001h"), Ok(3_600_000_000_000));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["s", "5 s", "5S", "1.5d", "1d12h", ".s", "5sec", "-", "five", "1h30"] {
            assert_eq!(duration(text), Err(UnitError::Duration), "{text}");
        }
        for text in ["9223372036855s", "9999999h", "99999999999999999999s", "9223372037", "200000d"] {
            assert_eq!(duration(text), Err(UnitError::TooLong), "{text}");
        }
        assert_eq!(go_duration("30"), Err(UnitError::Duration), "Go itself wants a unit");
    }

    #[test]
    fn modes_are_octal_with_or_without_a_leading_zero() {
        for (text, expected) in
            [("0640", 0o640), ("640", 0o640), ("0o600", 0o600), ("7777", 0o7777), ("", 0), ("0", 0)]
        {
            assert_eq!(mode(text), Ok(expected), "{text}");
        }
        for text in ["0o", "888", "10000", "rw-r-----", "-1", "+7", "0x1"] {
            assert_eq!(mode(text), Err(UnitError::Mode), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_a_reader_panic(text in "\\PC{0,12}|[0-9.dhmsnuµ+-]{0,24}") {
            let _ = (flexible_bool(&text), int_with_base(&text), duration(&text), go_duration(&text), mode(&text));
        }

        #[test]
        fn whole_milliseconds_survive(millis in 0_u64..9_000_000_000_000) {
            prop_assert_eq!(duration(&format!("{millis}ms")), Ok(Duration::from_millis(millis)));
        }
    }
}
