//! Values of the tree as typed values, as leniently as the original reads them. Errors say what would be right.

use std::time::Duration;

use crate::config::{hcl::Kind, units};

/// Text; a bare number or boolean counts as its text.
pub(super) fn text(kind: &Kind) -> Result<String, String> {
    match kind {
        Kind::Text(text) | Kind::Number(text) => Ok(text.clone()),
        Kind::Bool(value) => Ok(value.to_string()),
        Kind::Null => Ok(String::new()),
        Kind::List(_) | Kind::Block(_) => Err("text in quotes".to_owned()),
    }
}

pub(super) fn boolean(kind: &Kind) -> Result<bool, String> {
    match kind {
        Kind::Bool(value) => Ok(*value),
        Kind::Text(text) | Kind::Number(text) => {
            units::flexible_bool(text).map_err(|error| error.to_string())
        }
        _ => Err(units::UnitError::Bool.to_string()),
    }
}

pub(super) fn int(kind: &Kind) -> Result<i64, String> {
    match kind {
        Kind::Text(text) | Kind::Number(text) => {
            units::int_with_base(text.trim()).map_err(|error| error.to_string())
        }
        _ => Err(units::UnitError::Int.to_string()),
    }
}

pub(super) fn float(kind: &Kind) -> Result<f64, String> {
    let expected = || "a number, for instance 0.9".to_owned();
    match kind {
        Kind::Text(text) | Kind::Number(text) => text.trim().parse().map_err(|_| expected()),
        _ => Err(expected()),
    }
}

/// A bare number is seconds.
pub(super) fn duration(kind: &Kind) -> Result<Duration, String> {
    let parsed = match kind {
        Kind::Text(text) => units::duration(text),
        Kind::Number(text) => units::int_with_base(text)
            .map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
            .or_else(|_| {
                let seconds: f64 = text.parse().map_err(|_| units::UnitError::Duration)?;
                Duration::try_from_secs_f64(seconds.max(0.0)).map_err(|_| units::UnitError::TooLong)
            }),
        _ => Err(units::UnitError::Duration),
    };
    parsed.map_err(|error| error.to_string())
}

/// A list of texts; a text alone is a list of one.
pub(super) fn texts(kind: &Kind) -> Result<Vec<String>, String> {
    let expected = |_| "a list of texts, for instance [\"a\", \"b\"]".to_owned();
    match kind {
        Kind::List(values) => {
            values.iter().map(|value| text(&value.kind)).collect::<Result<_, _>>().map_err(expected)
        }
        other => text(other).map(|text| vec![text]).map_err(expected),
    }
}

/// A file mode: octal in quotes, or a number in its own base.
pub(super) fn mode(kind: &Kind) -> Result<u32, String> {
    let expected = || units::UnitError::Mode.to_string();
    match kind {
        Kind::Text(text) => units::mode(text).map_err(|error| error.to_string()),
        Kind::Number(number) => {
            let mode = units::int_with_base(number).ok().and_then(|mode| u32::try_from(mode).ok());
            mode.filter(|mode| *mode <= 0o7777).ok_or_else(expected)
        }
        _ => Err(expected()),
    }
}

/// Whether somebody surely meant this bare number as octal: `640`, which is decimal and so mode 01200.
pub(super) fn is_decimal_that_looks_octal(kind: &Kind) -> bool {
    const LIKELY: [&str; 16] = [
        "400", "440", "444", "600", "640", "644", "660", "664", "666", "700", "711", "740", "750", "755",
        "770", "777",
    ];
    matches!(kind, Kind::Number(number) if LIKELY.contains(&number.as_str()))
}

/// The value for a message: short ones themselves, others in words.
pub(super) fn shown(kind: &Kind) -> String {
    match kind {
        Kind::Text(text) if text.is_empty() => "an empty text".to_owned(),
        Kind::Text(text) if text.contains('\n') => "a text of several lines".to_owned(),
        Kind::Text(text) => format!("{:?}", short(text)),
        Kind::Number(number) => short(number),
        Kind::Bool(value) => value.to_string(),
        other => other.words().to_owned(),
    }
}

/// The first 40 characters.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Kind {
        Kind::Number(text.to_owned())
    }

    fn quoted(text: &str) -> Kind {
        Kind::Text(text.to_owned())
    }

    #[test]
    fn scalars_are_read_leniently() {
        assert_eq!(text(&number("0640")), Ok("0640".to_owned()));
        assert_eq!(text(&Kind::Bool(true)), Ok("true".to_owned()));
        assert_eq!(boolean(&quoted("TRUE")), Ok(true));
        assert_eq!(boolean(&number("0")), Ok(false));
        assert_eq!(int(&quoted("0x10")), Ok(16));
        assert_eq!(float(&quoted("0.5")), Ok(0.5));
        assert_eq!(texts(&quoted("a")), Ok(vec!["a".to_owned()]));
        assert!(text(&Kind::List(Vec::new())).is_err() && int(&Kind::Bool(true)).is_err());
    }

    #[test]
    fn bare_numbers_are_seconds() {
        assert_eq!(duration(&number("90")), Ok(Duration::from_secs(90)));
        assert_eq!(duration(&number("1.5")), Ok(Duration::from_millis(1500)));
        assert_eq!(duration(&number("-1")), Ok(Duration::ZERO));
        assert_eq!(duration(&quoted("1m")), Ok(Duration::from_secs(60)));
        assert!(duration(&number("1e300")).is_err() && duration(&Kind::Bool(true)).is_err());
    }

    #[test]
    fn modes_are_octal_in_quotes_and_follow_their_base_as_numbers() {
        assert_eq!(mode(&quoted("640")), Ok(0o640));
        assert_eq!(mode(&number("0640")), Ok(0o640));
        assert_eq!(mode(&number("384")), Ok(0o600));
        assert!(mode(&number("-1")).is_err() && mode(&number("99999")).is_err());
        assert!(is_decimal_that_looks_octal(&number("640")));
        for fine in [number("0640"), number("384"), number("416"), quoted("640")] {
            assert!(!is_decimal_that_looks_octal(&fine), "{fine:?}");
        }
    }

    #[test]
    fn long_and_many_lined_texts_are_not_shown_whole() {
        assert_eq!(shown(&quoted("a\nb")), "a text of several lines");
        assert_eq!(shown(&quoted(&"é".repeat(50))), format!("\"{}…\"", "é".repeat(40)));
    }
}
