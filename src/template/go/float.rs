//! Floats as text, as `strconv.FormatFloat` writes them.

/// Most digits that are asked of the standard library; a float has fewer than 1,100.
const LONGEST: usize = 2_000;

/// Formats with `e E f g G x X b`; no precision means the shortest text that reads back the same.
pub fn format(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    // No float has more digits that are not zero; the standard library takes no more than these.
    let zeros = precision.map_or(0, |precision| precision.saturating_sub(LONGEST));
    let precision = precision.map(|precision| precision.min(LONGEST));
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let value = value.abs();
    let body = match verb {
        'f' | 'F' => match precision {
            Some(precision) => format!("{value:.precision$}"),
            None => format!("{value}"),
        },
        'e' | 'E' => exponent(value, precision, verb),
        'b' => binary(value),
        'x' | 'X' => hexadecimal(value, precision, verb == 'X'),
        _ => general(value, precision, verb),
    };
    let zeros = "0".repeat(zeros);
    match (verb, body.rsplit_once(['e', 'E'])) {
        ('e' | 'E', Some((mantissa, _))) => {
            let power = &body[mantissa.len()..];
            format!("{sign}{mantissa}{zeros}{power}")
        }
        ('f' | 'F', _) => format!("{sign}{body}{zeros}"),
        _ => format!("{sign}{body}"),
    }
}

/// Go's `%v`: the shortest text, with an exponent below -4 and from 21 digits on as `%g` decides it.
pub fn shortest(value: f64) -> String {
    format(value, 'g', None)
}

/// `d.ddde±dd`.
fn exponent(value: f64, precision: Option<usize>, verb: char) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let letter = if verb == 'E' || verb == 'G' { 'E' } else { 'e' };
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}{letter}{sign}{:02}", power.abs())
}

fn general(value: f64, precision: Option<usize>, verb: char) -> String {
    // The digits that count, without trailing zeros, and the decimal exponent.
    let text = match precision {
        Some(precision) => format!("{value:.*e}", precision.max(1) - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i64 = power.parse().unwrap_or(0);
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_end_matches('0').len().max(1);
    let threshold = match precision {
        None => 6,
        Some(precision) => {
            let precision = precision.max(1);
            let point = power + 1;
            if precision > digits && i64::try_from(digits).unwrap_or(i64::MAX) >= point {
                digits
            } else {
                precision
            }
        }
    };
    if power < -4 || power >= i64::try_from(threshold).unwrap_or(i64::MAX) {
        return exponent(value, Some(digits - 1), verb);
    }
    let after_point = i64::try_from(digits).unwrap_or(0) - power - 1;
    let after_point = usize::try_from(after_point).unwrap_or(0);
    // Rounded to its digits first: a second rounding of the exact value gives the same digits.
    format!("{value:.after_point$}")
}

/// Mantissa and power of two as whole numbers (`%b`).
fn binary(value: f64) -> String {
    let (mantissa, power) = parts(value);
    let sign = if power < 0 { "" } else { "+" };
    format!("{mantissa}p{sign}{power}")
}

fn parts(value: f64) -> (u64, i64) {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52) & 0x7ff {
        0 => (fraction, -1074),
        power => (fraction | (1 << 52), i64::try_from(power).unwrap_or(0) - 1075),
    }
}

/// `0x1.8p+01`.
fn hexadecimal(value: f64, precision: Option<usize>, upper: bool) -> String {
    let (mut mantissa, mut power) = parts(value);
    if mantissa == 0 {
        power = 0;
    } else {
        while mantissa < 1 << 52 {
            mantissa <<= 1;
            power -= 1;
        }
        power += 52;
    }
    // 13 hexadecimal digits behind the point.
    if let Some(precision) = precision.filter(|precision| *precision < 13) {
        let cut = 4 * (13 - u32::try_from(precision).unwrap_or(0));
        let half = 1u64 << (cut - 1);
        let rest = mantissa & ((1 << cut) - 1);
        mantissa >>= cut;
        if rest > half || (rest == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= cut;
        if mantissa >> 53 != 0 {
            mantissa >>= 1;
            power += 1;
        }
    }
    let mut digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    match precision {
        None => digits.truncate(digits.trim_end_matches('0').len()),
        Some(precision) if precision < 13 => digits.truncate(precision),
        Some(precision) => digits.push_str(&"0".repeat(precision - 13)),
    }
    let point = if digits.is_empty() { "" } else { "." };
    let sign = if power < 0 { '-' } else { '+' };
    let text = format!("0x{}{point}{digits}p{sign}{:02}", mantissa >> 52, power.abs());
    if upper { text.to_uppercase() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_print_floats_as_go_does() {
        let cases = [
            (5.0, "5"),
            (100_000.0, "100000"),
            (654_321.123_456_789, "654321.123456789"),
            (1e6, "1e+06"),
            (1_234_567.5, "1.2345675e+06"),
            (2_097_152.0, "2.097152e+06"),
            (1e20, "1e+20"),
            (0.000_123_45, "0.00012345"),
            (0.000_01, "1e-05"),
            (9e-7, "9e-07"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "+Inf"),
        ];
        for (value, text) in cases {
            assert_eq!(shortest(value), text);
        }
    }

    #[test]
    fn precision_rounds_and_general_drops_zeros() {
        assert_eq!(format(1.5, 'e', Some(6)), "1.500000e+00");
        assert_eq!(format(2.7149, 'g', Some(3)), "2.71");
        assert_eq!(format(100.0, 'g', Some(3)), "100");
        assert_eq!(format(1234.5, 'g', Some(3)), "1.23e+03");
        assert_eq!(format(2.5, 'f', Some(0)), "2");
        assert_eq!(format(1e21, 'f', None), "1000000000000000000000");
        assert_eq!(format(1e100, 'G', None), "1E+100");
    }

    #[test]
    fn many_digits_are_zeros() {
        let long = format(1.5, 'f', Some(100_000));
        assert!(long.starts_with("1.5000") && long.len() == 100_002, "{}", long.len());
        assert_eq!(format(-1.5, 'e', Some(70_000)).len(), "-1.e+00".len() + 70_000);
        assert_eq!(format(1.5, 'g', Some(70_000)), "1.5");
    }

    #[test]
    fn powers_of_two_and_hexadecimal() {
        assert_eq!(format(1.0, 'b', None), "4503599627370496p-52");
        assert_eq!(format(1.5, 'x', None), "0x1.8p+00");
        assert_eq!(format(1.0, 'x', Some(3)), "0x1.000p+00");
        assert_eq!(format(255.9, 'X', Some(1)), "0X1.0P+08");
    }
}
