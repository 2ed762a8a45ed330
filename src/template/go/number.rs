//! Number constants, and Go's `strconv` readers for numbers.

use super::{ast::Number, quote};

/// Reads a number token. `Err` holds Go's words.
pub fn constant(text: &str) -> Result<Number, String> {
    let quoted = || quote::quote(text.as_bytes());
    if let Some(number) = complex(text)? {
        return Ok(number);
    }
    let mut uint = parse_uint(text, 0).ok();
    let mut int = parse_int(text, 0).ok();
    if int == Some(0) {
        uint = Some(0);
    }
    let mut float = int.map(|int| int as f64).or_else(|| uint.map(|uint| uint as f64));
    if float.is_none()
        && let Some(value) = parse_float(text)
    {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", quoted()));
        }
        float = Some(value);
        if value == value.trunc() && value.abs() < 9_223_372_036_854_775_808.0 {
            int = Some(value as i64);
        }
        if value == value.trunc() && (0.0..18_446_744_073_709_551_616.0).contains(&value) {
            uint = Some(value as u64);
        }
    }
    if float.is_none() {
        return Err(format!("illegal number syntax: {}", quoted()));
    }
    Ok(Number { text: text.into(), int, uint, float, complex: None })
}

/// A constant such as `2i` or `1-2i`; `None` for one of another kind.
fn complex(text: &str) -> Result<Option<Number>, String> {
    let Some(body) = text.strip_suffix('i') else { return Ok(None) };
    let sign = body
        .char_indices()
        .skip(1)
        .filter(|(at, c)| matches!(c, '+' | '-') && !body[..*at].ends_with(['e', 'E', 'p', 'P']));
    let (real, imaginary) = match sign.last() {
        Some((at, _)) => match (parse_float(&body[..at]), parse_float(&body[at..])) {
            (Some(real), Some(imaginary)) => (real, imaginary),
            _ => return Err("syntax error scanning complex number".to_owned()),
        },
        None => match parse_float(body) {
            Some(imaginary) => (0.0, imaginary),
            None => return Ok(None),
        },
    };
    let float = Some(real).filter(|_| imaginary == 0.0);
    Ok(Some(Number {
        text: text.into(),
        int: float.filter(|real| *real == real.trunc() && real.abs() < 9.2e18).map(|real| real as i64),
        uint: float
            .filter(|real| *real == real.trunc() && (0.0..1.8e19).contains(real))
            .map(|real| real as u64),
        float,
        complex: Some((real, imaginary)),
    }))
}

/// Reads a character constant. `Err` holds Go's words.
pub fn character(text: &str) -> Result<Number, String> {
    let code = quote::unquote_rune(text).ok_or_else(|| match text.starts_with("'\\") {
        true => "invalid syntax".to_owned(),
        false => format!("malformed character constant: {text}"),
    })?;
    Ok(Number {
        text: text.into(),
        int: Some(code),
        uint: u64::try_from(code).ok(),
        float: Some(code as f64),
        complex: None,
    })
}

/// Why a text is no integer, as `strconv` tells the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntError {
    /// `invalid syntax`
    Syntax,
    /// `value out of range`
    Range,
}

impl IntError {
    /// Go's words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Syntax => "invalid syntax",
            Self::Range => "value out of range",
        }
    }
}

/// `strconv.ParseUint(text, radix, 64)`; radix 0 takes it from the prefix and allows `_`.
///
/// # Errors
/// Not a number, or more than 64 bits.
pub fn parse_uint(text: &str, radix: u32) -> Result<u64, IntError> {
    let (digits, radix) = if radix == 0 { prefix(text)? } else { (text.to_owned(), radix) };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(IntError::Syntax);
    }
    u64::from_str_radix(&digits, radix).map_err(|_| IntError::Range)
}

/// `strconv.ParseInt(text, radix, 64)`.
///
/// # Errors
/// Not a number, or more than 63 bits and a sign.
pub fn parse_int(text: &str, radix: u32) -> Result<i64, IntError> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let value = i128::from(parse_uint(digits, radix)?);
    i64::try_from(if negative { -value } else { value }).map_err(|_| IntError::Range)
}

/// The digits behind a radix prefix, without underscores.
fn prefix(text: &str) -> Result<(String, u32), IntError> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.get(..2) {
        Some("0x") => (&text[2..], 16),
        Some("0b") => (&text[2..], 2),
        Some("0o") => (&text[2..], 8),
        _ if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        _ => (text, 10),
    };
    if text.contains('_') && !underscores_separate_digits(text) {
        return Err(IntError::Syntax);
    }
    Ok((digits.replace('_', ""), radix))
}

/// `strconv.underscoreOK`: each underscore stands between digits, or between a radix prefix and a digit.
fn underscores_separate_digits(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text).as_bytes();
    let (mut seen, mut hex) = (b'^', false);
    if let [b'0', letter, after @ ..] = rest
        && matches!(letter.to_ascii_lowercase(), b'b' | b'o' | b'x')
    {
        (rest, seen, hex) = (after, b'0', letter.eq_ignore_ascii_case(&b'x'));
    }
    for byte in rest {
        seen = match byte {
            b'0'..=b'9' => b'0',
            b'a'..=b'f' | b'A'..=b'F' if hex => b'0',
            b'_' if seen == b'0' => b'_',
            _ if *byte == b'_' || seen == b'_' => return false,
            _ => b'!',
        };
    }
    seen != b'_'
}

/// `strconv.ParseFloat(text, 64)` without `inf` and `nan`; `None` for bad syntax and for what is out of range.
fn parse_float(text: &str) -> Option<f64> {
    if text.contains('_') && !underscores_separate_digits(text) {
        return None;
    }
    parse_float_any(&text.replace('_', "")).filter(|value| value.is_finite())
}

/// A decimal or hexadecimal float, `inf`, `infinity` or `nan` in any case. Out of range gives an infinity.
pub fn parse_float_any(text: &str) -> Option<f64> {
    let (sign, body) = match text.as_bytes().first() {
        Some(b'-') => (-1.0, &text[1..]),
        Some(b'+') => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if body.starts_with(['+', '-']) {
        return None;
    }
    if let Some(hex) = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
        return Some(sign * hex_float(hex)?);
    }
    Some(sign * body.parse::<f64>().ok()?)
}

/// `1F.8p3` without its prefix. The exponent is required, as in Go.
fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 28 || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let value = u128::from_str_radix(&digits, 16).ok()? as f64;
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?.checked_mul(4)?)?;
    Some(value * 2f64.powi(shift.clamp(-2000, 2000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_kept_under_every_type_that_holds_them() {
        let two = constant("2.0").unwrap();
        assert_eq!((two.int, two.uint, two.float), (Some(2), Some(2), Some(2.0)));
        let half = constant("2.5").unwrap();
        assert_eq!((half.int, half.uint), (None, None));
        assert_eq!(constant("0x1F").unwrap().int, Some(31));
        assert_eq!(constant("017").unwrap().int, Some(15));
        assert_eq!(constant("1_000").unwrap().int, Some(1000));
        assert_eq!(constant("0b101").unwrap().int, Some(5));
        assert_eq!(constant("0x1p4").unwrap().int, Some(16));
        assert_eq!(constant("-5").unwrap().uint, None);
        let big = constant("9223372036854775808").unwrap();
        assert_eq!((big.int, big.uint), (None, Some(9_223_372_036_854_775_808)));
    }

    #[test]
    fn numbers_that_are_none_get_words_of_go() {
        assert_eq!(constant("089").err().unwrap(), "integer overflow: \"089\"");
        assert_eq!(
            constant("18446744073709551616").err().unwrap(),
            "integer overflow: \"18446744073709551616\""
        );
        for bad in ["-", "+", "0x", "1__0", "1e999", "0x_"] {
            assert_eq!(constant(bad).err().unwrap(), format!("illegal number syntax: {bad:?}"));
        }
    }

    #[test]
    fn integers_parse_as_strconv_does() {
        assert_eq!(parse_int("+3", 10), Ok(3));
        assert_eq!(parse_int("010", 10), Ok(10));
        assert_eq!(parse_int("-9223372036854775808", 10), Ok(i64::MIN));
        assert_eq!(parse_int("9223372036854775808", 10), Err(IntError::Range));
        assert_eq!(parse_int("", 10), Err(IntError::Syntax));
        assert_eq!(parse_int("+-1", 10), Err(IntError::Syntax));
        assert_eq!(parse_uint("+1", 10), Err(IntError::Syntax));
        assert_eq!(parse_int("1_0", 10), Err(IntError::Syntax));
    }
}
