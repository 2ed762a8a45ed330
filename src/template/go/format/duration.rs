//! Durations in templates: refusals in Go's words, and how Go and Sprig write them.

use crate::{
    clock::go_duration::{self, Flaw},
    template::go::quote::quote_time,
};

/// Why a text is not a duration, in Go's words.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DurationError {
    /// Not of the form `[-+]NUMBER UNIT…`, or too big for 64 bits of nanoseconds.
    #[error("time: invalid duration {}", quote_time(.0))]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {}", quote_time(.0))]
    MissingUnit(String),
    /// A unit that is none of `ns us µs ms s m h`.
    #[error("time: unknown unit {} in duration {}", quote_time(.1), quote_time(.0))]
    UnknownUnit(String, String),
}

const SECOND: u64 = 1_000_000_000;

/// Reads a duration such as `-1.5h` or `1h2m3s`; the answer counts nanoseconds.
///
/// # Errors
/// Whatever Go refuses.
pub fn parse(text: &str) -> Result<i64, DurationError> {
    go_duration::parse(text).map_err(|flaw| match flaw {
        Flaw::Form | Flaw::TooLong => DurationError::Invalid(text.to_owned()),
        Flaw::MissingUnit => DurationError::MissingUnit(text.to_owned()),
        Flaw::UnknownUnit(unit) => DurationError::UnknownUnit(text.to_owned(), unit),
    })
}

/// Writes nanoseconds as Go does: `1h2m3.5s`, `1.5ms`, `0s`.
pub fn format(nanos: i64) -> String {
    let amount = nanos.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    let text = match amount {
        0 => "0s".to_owned(),
        1..1_000 => format!("{amount}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(amount, 1_000)),
        1_000_000..SECOND => format!("{}ms", decimal(amount, 1_000_000)),
        _ => clock(amount),
    };
    format!("{sign}{text}")
}

fn clock(amount: u64) -> String {
    let (minutes, nanos) = (amount / (60 * SECOND), amount % (60 * SECOND));
    let seconds = decimal(nanos, SECOND);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// `amount / unit` without trailing zeros.
fn decimal(amount: u64, unit: u64) -> String {
    let (whole, rest) = (amount / unit, amount % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{rest:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// The largest whole unit only, as Sprig rounds: `2h`, `3mo`, `1y`. Exactly one unit counts as the next smaller one.
pub fn largest_unit(nanos: i64) -> String {
    let amount = nanos.unsigned_abs();
    let units = [
        (8760 * 3600 * SECOND, "y"),
        (720 * 3600 * SECOND, "mo"),
        (24 * 3600 * SECOND, "d"),
        (3600 * SECOND, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
    ];
    units
        .iter()
        .find(|(size, _)| amount > *size)
        .map_or_else(|| "0s".to_owned(), |(size, name)| format!("{}{name}", amount / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_use_gos_words() {
        for (text, message) in [
            ("", "time: invalid duration \"\""),
            ("-", "time: invalid duration \"-\""),
            ("5", "time: missing unit in duration \"5\""),
            ("5d", "time: unknown unit \"d\" in duration \"5d\""),
            (".s", "time: invalid duration \".s\""),
            ("9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""),
            ("99999999999999999999h", "time: invalid duration \"99999999999999999999h\""),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (95_000_000_000, "1m35s"),
            (3_600_000_000_000, "1h0m0s"),
            (-5_400_500_000_000, "-1h30m0.5s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(format(nanos), text);
        }
    }

    #[test]
    fn rounding_needs_more_than_one_unit() {
        let hour = 3_600_000_000_000;
        for (nanos, text) in [
            (hour, "60m"),
            (hour + 1, "1h"),
            (2 * hour, "2h"),
            (-2 * hour, "2h"),
            (0, "0s"),
            (i64::MAX, "292y"),
        ] {
            assert_eq!(largest_unit(nanos), text);
        }
    }
}
