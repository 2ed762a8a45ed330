//! Numbers as text, as Go's `strconv` reads them and as its serialisers write them.

/// JSON: plain digits from 1e-6 to 1e21, an exponent without padding beyond. `None`: not finite.
pub fn json(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return Some(number.to_string());
    }
    let text = format!("{number:e}");
    Some(if size >= 1.0 { text.replace('e', "e+") } else { text })
}

/// As Go prints a float by itself (`%g` with as many digits as needed): an exponent below 1e-4 and from 1e6 on.
pub fn general(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = format!("{number:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number == 0.0 || (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// TOML: never an exponent, always a point.
pub fn toml(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let text = number.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

/// Why a text is not a number, in the words of Go's `strconv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not a number at all.
    #[error("invalid syntax")]
    Syntax,
    /// A number that does not fit.
    #[error("value out of range")]
    Range,
}

/// Decimal digits with an optional sign.
///
/// # Errors
/// Anything else, blanks included, and what needs more than 64 bits.
pub fn parse_int(text: &[u8]) -> Result<i64, NumberError> {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    check_digits(digits)?;
    ascii(text).parse().map_err(|_| NumberError::Range)
}

/// The same when the error is not looked at: the nearest number that fits, 0 for what is none.
pub fn parse_int_clamped(text: &[u8]) -> i64 {
    match parse_int(text) {
        Ok(number) => number,
        Err(NumberError::Syntax) => 0,
        Err(NumberError::Range) if text.starts_with(b"-") => i64::MIN,
        Err(NumberError::Range) => i64::MAX,
    }
}

/// Decimal digits without a sign.
///
/// # Errors
/// Anything else, and what needs more than 64 bits.
pub fn parse_uint(text: &[u8]) -> Result<u64, NumberError> {
    check_digits(text)?;
    ascii(text).parse().map_err(|_| NumberError::Range)
}

/// Go stops at whatever it meets first: a byte that is no digit, or more than 64 bits.
fn check_digits(digits: &[u8]) -> Result<(), NumberError> {
    let mut value = 0u64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(NumberError::Syntax);
        }
        let next = value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit - b'0')));
        value = next.ok_or(NumberError::Range)?;
    }
    if digits.is_empty() { Err(NumberError::Syntax) } else { Ok(()) }
}

fn ascii(text: &[u8]) -> &str {
    std::str::from_utf8(text).unwrap_or_default()
}

/// A whole number whose base its prefix tells: `0x`, `0b`, `0o` or `0` for octal; `_` between digits allowed.
///
/// # Errors
/// Anything else, and what does not fit.
pub fn parse_prefixed(text: &str) -> Result<i64, NumberError> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, body, prefixed) = if let Some(body) = lower.strip_prefix("0x") {
        (16, body, true)
    } else if let Some(body) = lower.strip_prefix("0b") {
        (2, body, true)
    } else if let Some(body) = lower.strip_prefix("0o") {
        (8, body, true)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..], true)
    } else {
        (10, lower.as_str(), false)
    };
    let first_underscore_ok = prefixed || !body.starts_with('_');
    if body.ends_with('_') || body.contains("__") || !first_underscore_ok {
        return Err(NumberError::Syntax);
    }
    let body = body.replace('_', "");
    if body.is_empty() || !body.chars().all(|c| c.is_digit(base)) {
        return Err(NumberError::Syntax);
    }
    let size = u64::from_str_radix(&body, base).map_err(|_| NumberError::Range)?;
    let signed = if negative { 0i64.checked_sub_unsigned(size) } else { i64::try_from(size).ok() };
    signed.ok_or(NumberError::Range)
}

/// A float: decimal, `inf`, `infinity`, `nan` in any case, or hexadecimal with a binary exponent.
///
/// # Errors
/// Anything else, and numbers beyond the largest float.
pub fn parse_float(text: &str) -> Result<f64, NumberError> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    match lower.as_str() {
        "nan" if unsigned.len() == text.len() => return Ok(f64::NAN),
        "inf" | "infinity" if text.starts_with('-') => return Ok(f64::NEG_INFINITY),
        "inf" | "infinity" => return Ok(f64::INFINITY),
        _ => {}
    }
    let value = match lower.strip_prefix("0x") {
        Some(body) => hex_float(body)?,
        None if lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            without_underscores(&lower)?.parse().map_err(|_| NumberError::Syntax)?
        }
        None => return Err(NumberError::Syntax),
    };
    if f64::is_infinite(value) {
        return Err(NumberError::Range);
    }
    Ok(if text.starts_with('-') { -value } else { value })
}

/// Underscores may stand between digits only.
fn without_underscores(text: &str) -> Result<String, NumberError> {
    let digit = |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
    let lone = |(at, _): (usize, &str)| !digit(at.checked_sub(1)) || !digit(Some(at + 1));
    if text.match_indices('_').any(lone) {
        return Err(NumberError::Syntax);
    }
    Ok(text.replace('_', ""))
}

fn hex_float(body: &str) -> Result<f64, NumberError> {
    let (digits, exponent) = body.split_once('p').ok_or(NumberError::Syntax)?;
    let exponent: i32 = exponent.parse().map_err(|_| NumberError::Syntax)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(NumberError::Syntax);
    }
    let mut value = 0.0;
    for c in whole.chars().chain(fraction.chars()) {
        let digit = c.to_digit(16).ok_or(NumberError::Syntax)?;
        value = value * 16.0 + f64::from(digit);
    }
    let shift = exponent.saturating_sub(i32::try_from(fraction.len()).unwrap_or(i32::MAX).saturating_mul(4));
    Ok(value * 2f64.powi(shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_each_format_wants_them() {
        for (number, go, json_text, toml_text) in [
            (5.0, "5", "5", "5.0"),
            (100_000.0, "100000", "100000", "100000.0"),
            (1_000_000.0, "1e+06", "1000000", "1000000.0"),
            (1_234_567.5, "1.2345675e+06", "1234567.5", "1234567.5"),
            (654_321.123_456_789, "654321.123456789", "654321.123456789", "654321.123456789"),
            (1e20, "1e+20", "100000000000000000000", "100000000000000000000.0"),
            (1e21, "1e+21", "1e+21", "1000000000000000000000.0"),
            (0.000_123_45, "0.00012345", "0.00012345", "0.00012345"),
            (0.000_01, "1e-05", "0.00001", "0.00001"),
            (9e-7, "9e-07", "9e-7", "0.0000009"),
            (0.0, "0", "0", "0.0"),
        ] {
            assert_eq!(general(number), go);
            assert_eq!(json(number).unwrap(), json_text);
            assert_eq!(toml(number), toml_text);
        }
        assert_eq!(json(f64::INFINITY), None);
        assert_eq!((general(f64::NEG_INFINITY), toml(f64::NAN)), ("-Inf".into(), "nan".into()));
    }

    #[test]
    fn whole_numbers_are_decimal_and_exact() {
        assert_eq!(parse_int(b"+3"), Ok(3));
        assert_eq!(parse_int(b"010"), Ok(10));
        assert_eq!(parse_int(b"-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(parse_int(b"9223372036854775808"), Err(NumberError::Range));
        for text in ["", "+", " 1", "1.5", "0x1", "1_0", "\u{0661}"] {
            assert_eq!(parse_int(text.as_bytes()), Err(NumberError::Syntax), "{text}");
        }
        assert_eq!(parse_uint(b"+1"), Err(NumberError::Syntax));
        assert_eq!(parse_uint(b"18446744073709551615"), Ok(u64::MAX));
    }

    #[test]
    fn prefixes_choose_the_base() {
        for (text, value) in
            [("0x1F", 31), ("010", 8), ("0b11", 3), ("-0o17", -15), ("1_000", 1000), ("0", 0), ("0_7", 7)]
        {
            assert_eq!(parse_prefixed(text), Ok(value), "{text}");
        }
        for text in ["09", "", "_1", "1__0", "0x", "1e3", "1.5"] {
            assert_eq!(parse_prefixed(text), Err(NumberError::Syntax), "{text}");
        }
        assert_eq!(parse_prefixed("-9223372036854775808"), Ok(i64::MIN));
    }

    #[test]
    fn floats_are_read_as_go_reads_them() {
        assert_eq!(parse_float("0x1p-2"), Ok(0.25));
        assert_eq!(parse_float("0x1.8p1"), Ok(3.0));
        assert_eq!(parse_float("-Inf"), Ok(f64::NEG_INFINITY));
        assert_eq!(parse_float(".5"), Ok(0.5));
        assert_eq!(parse_float("1_000.5"), Ok(1000.5));
        assert_eq!(parse_float("1e400"), Err(NumberError::Range));
        for text in ["", "abc", "1x", "infinit", "0x1", "+nan", "e5", " 1", "1_", "1_.5", "1__0"] {
            assert_eq!(parse_float(text), Err(NumberError::Syntax), "{text}");
        }
    }
}
