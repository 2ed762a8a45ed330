//! How annotation values are read: exactly as the injector does, which means as Go's `strconv` does.

use crate::config::units;

/// How a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true`, `false` and Go's short forms; empty is false.
    Bool,
    /// A bool whose bad values are taken for false.
    LaxBool,
    /// A decimal 64-bit number; empty is 0.
    Int,
    /// A decimal 64-bit number without sign.
    Uint,
    /// A floating-point number.
    Float,
    /// A duration with units; empty is the same as absent.
    Duration,
    /// A Kubernetes quantity.
    Quantity,
    /// Words between commas; blanks belong to the words.
    List,
    /// Any text, taken as it is.
    Text,
    /// `map` or `json`, in any case.
    DefaultForm,
    /// A JSON patch.
    JsonPatch,
    /// JSON, or else text.
    Json,
}

impl Kind {
    /// Name for the reference page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool | Self::LaxBool => "bool",
            Self::Int => "number",
            Self::Uint => "number ≥ 0",
            Self::Float => "decimal number",
            Self::Duration => "duration",
            Self::Quantity => "quantity",
            Self::List => "list",
            Self::Text => "text",
            Self::DefaultForm => "`map` or `json`",
            Self::JsonPatch => "JSON patch",
            Self::Json => "JSON or text",
        }
    }

    /// What a right value looks like, for messages.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Bool | Self::LaxBool => {
                "true or false (also 1, t, T, TRUE, True, 0, f, F, FALSE, False), without blanks"
            }
            Self::Int => "a whole number, for instance 10",
            Self::Uint => "a whole number without sign or unit, for instance 5",
            Self::Float => "a number, for instance 0.75",
            Self::Duration => "a number with a unit, for instance 30s or 1m30s",
            Self::Quantity => "a Kubernetes quantity, for instance 500m or 64Mi",
            Self::List => "words with commas between them",
            Self::Text => "a text",
            Self::DefaultForm => "map or json",
            Self::JsonPatch => "a JSON array of patch operations",
            Self::Json => "JSON or a text",
        }
    }
}

/// Whether a text is of this kind. Quantities are left to Kubernetes.
pub fn fits(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Bool | Kind::LaxBool => boolean(text).is_some(),
        Kind::Int => int(text).is_some(),
        Kind::Uint => uint(text).is_some(),
        Kind::Float => float(text).is_some(),
        Kind::Duration => text.is_empty() || units::go_duration(text).is_ok(),
        Kind::DefaultForm => ["map", "json"].contains(&text.to_lowercase().as_str()),
        Kind::JsonPatch => {
            text.is_empty() || serde_json::from_str::<Option<Vec<serde_json::Value>>>(text).is_ok()
        }
        Kind::Quantity | Kind::List | Kind::Text | Kind::Json => true,
    }
}

/// Go's `strconv.ParseBool`, and the empty text as false.
pub fn boolean(text: &str) -> Option<bool> {
    if text.is_empty() { Some(false) } else { units::go_bool(text).ok() }
}

/// Go's `strconv.ParseInt(text, 10, 64)`, and the empty text as 0.
pub fn int(text: &str) -> Option<i64> {
    if text.is_empty() { Some(0) } else { text.parse().ok() }
}

/// Go's `strconv.ParseUint(text, 10, 64)`.
pub fn uint(text: &str) -> Option<u64> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// Go's `strconv.ParseFloat(text, 64)`, but only finite numbers: the injector accepts `NaN` and `Inf` here and then
/// refuses the pod.
pub fn float(text: &str) -> Option<f64> {
    let plain = without_underscores(text)?;
    let (negative, magnitude) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, plain.as_str()),
    };
    let value = match magnitude.strip_prefix("0x").or_else(|| magnitude.strip_prefix("0X")) {
        Some(digits) => hexadecimal(digits)?,
        None if magnitude.starts_with(|first: char| first.is_ascii_digit() || first == '.') => {
            magnitude.parse().ok()?
        }
        None => return None,
    };
    value.is_finite().then_some(if negative { -value } else { value })
}

/// Go lets underscores stand between digits, and behind a base prefix.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let hex = text.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("0x");
    let digit = |at: usize| {
        bytes.get(at).is_some_and(|byte| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() })
    };
    let prefix = |at: usize| hex && matches!(bytes.get(at), Some(b'x' | b'X'));
    for (at, _) in text.match_indices('_') {
        let before = at.checked_sub(1).is_some_and(|before| digit(before) || prefix(before));
        if !before || !digit(at + 1) {
            return None;
        }
    }
    Some(text.replace('_', ""))
}

/// The part behind `0x` of Go's hexadecimal numbers: digits, at most one point, and an exponent, which is a must.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value.mul_add(16.0, f64::from(digit.to_digit(16)?));
    }
    let shift = exponent.saturating_sub(i32::try_from(fraction.len()).ok()?.saturating_mul(4));
    Some(value * 2.0_f64.powi(shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_judged_by_their_kind() {
        for (kind, right, wrong) in [
            (Kind::Bool, "t", "on"),
            (Kind::Uint, "5", "0x5"),
            (Kind::Duration, "", "five"),
            (Kind::DefaultForm, "JSON", ""),
            (Kind::JsonPatch, "[]", "abc"),
            (Kind::JsonPatch, "null", "{}"),
        ] {
            assert!(fits(kind, right) && !fits(kind, wrong), "{kind:?}");
        }
    }

    #[test]
    fn bools_are_gos_and_empty_is_false() {
        for text in ["1", "t", "T", "TRUE", "true", "True"] {
            assert_eq!(boolean(text), Some(true), "{text}");
        }
        for text in ["", "0", "f", "F", "FALSE", "false", "False"] {
            assert_eq!(boolean(text), Some(false), "{text}");
        }
        for text in ["yes", "on", " true", "tRUE", "2"] {
            assert_eq!(boolean(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_decimal_and_not_trimmed() {
        assert_eq!(["+9", "007", "-5", ""].map(int), [Some(9), Some(7), Some(-5), Some(0)]);
        for text in ["0x10", "1_000", "1.0", " 1", "9223372036854775808"] {
            assert_eq!(int(text), None, "{text}");
        }
        assert_eq!(uint("07"), Some(7));
        for text in ["5s", "-1", "+5", ""] {
            assert_eq!(uint(text), None, "{text}");
        }
    }

    #[test]
    fn floats_follow_go() {
        for (text, value) in [
            ("1e-3", 0.001),
            (".5", 0.5),
            ("5.", 5.0),
            ("0x1p-2", 0.25),
            ("-0x_A.8p0", -10.5),
            ("1_0.5", 10.5),
            ("+1.5", 1.5),
        ] {
            assert_eq!(float(text), Some(value), "{text}");
        }
        for text in ["", " 1", "1e400", "NaN", "Inf", "-inf", "0x1", "_1", "1_", "1__0", "0xp1", "+", "."] {
            assert_eq!(float(text), None, "{text}");
        }
    }
}
