//! Durations in Go's text form, as configurations and templates write them: `1h30m`, `-1.5s`, `95ms`.
//!
//! Source: <https://pkg.go.dev/time#ParseDuration>.

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Not of the form `[-+]NUMBER UNIT…`.
    Form,
    /// More than 64 bits of nanoseconds hold, 292 years.
    TooLong,
    /// A number without a unit.
    MissingUnit,
    /// A unit that is none of `ns us µs ms s m h`.
    UnknownUnit(String),
}

const SECOND: u64 = 1_000_000_000;

/// Reads a sign, then numbers (fractions allowed) with the units `ns us µs ms s m h`; `0` needs none. The answer
/// counts nanoseconds.
///
/// # Errors
/// Whatever Go refuses.
pub fn parse(text: &str) -> Result<i64, Flaw> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(Flaw::Form);
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (part, after) = next_part(rest)?;
        total = total.checked_add(part).filter(|sum| *sum <= 1 << 63).ok_or(Flaw::TooLong)?;
        rest = after;
    }
    match (negative, i64::try_from(total)) {
        (false, Ok(value)) => Ok(value),
        (true, Ok(value)) => Ok(-value),
        (true, Err(_)) => Ok(i64::MIN),
        (false, Err(_)) => Err(Flaw::TooLong),
    }
}

/// One number with its unit, and what follows.
fn next_part(text: &str) -> Result<(u64, &str), Flaw> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let before = digits(text);
    let mut rest = &text[before..];
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        let count = digits(after);
        fraction = &after[..count];
        rest = &after[count..];
    }
    if before == 0 && fraction.is_empty() {
        return Err(Flaw::Form);
    }
    let amount: u64 = match &text[..before] {
        "" => 0,
        number => number.parse().map_err(|_| Flaw::TooLong)?,
    };
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let scale = match unit {
        "" => return Err(Flaw::MissingUnit),
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        other => return Err(Flaw::UnknownUnit(other.to_owned())),
    };
    let whole = amount.checked_mul(scale).ok_or(Flaw::TooLong)?;
    let part = whole.checked_add(scaled_fraction(fraction, scale)).ok_or(Flaw::TooLong)?;
    Ok((part, rest))
}

/// `0.FRACTION × scale`, cut to whole nanoseconds. Beyond 18 digits a fraction of an hour is less than one.
fn scaled_fraction(fraction: &str, scale: u64) -> u64 {
    let digits = &fraction[..fraction.len().min(18)];
    let Ok(number) = digits.parse::<u128>() else { return 0 };
    let power = 10u128.pow(digits.len().try_into().unwrap_or(0));
    (number * u128::from(scale) / power).try_into().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_reads_them() {
        for (text, nanos) in [
            ("0", 0),
            ("+5s", 5_000_000_000),
            ("-1.5h", -5_400_000_000_000),
            ("1h2m3.004s", 3_723_004_000_000),
            (".5ms", 500_000),
            ("1.s", 1_000_000_000),
            ("3us2\u{b5}s1ns", 5_001),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(parse(text), Ok(nanos), "{text}");
        }
    }
}
