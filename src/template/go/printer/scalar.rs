//! Strings and numbers with their flags.

use super::{Flags, Printer};
use crate::template::go::{
    float,
    quote::{self, can_backquote, runes},
};

impl Printer {
    pub(super) fn pad(&mut self, bytes: &[u8], flags: Flags) {
        let width = flags.width.unwrap_or(0);
        let missing = width.saturating_sub(runes(bytes).count());
        let filler = if flags.zero && !flags.minus { b'0' } else { b' ' };
        if !flags.minus {
            self.fill(missing, filler);
        }
        self.raw(bytes);
        if flags.minus {
            self.fill(missing, filler);
        }
    }

    pub(super) fn fill(&mut self, count: usize, filler: u8) {
        let length = self.out.len() + count;
        self.out.resize(length, filler);
    }

    pub(super) fn string(&mut self, bytes: &[u8], verb: char, flags: Flags) {
        match verb {
            'x' | 'X' => return self.hex(bytes, verb == 'X', flags),
            'v' if !flags.syntax => return self.pad(truncate(bytes, flags), flags),
            's' => return self.pad(truncate(bytes, flags), flags),
            _ => {}
        }
        let bytes = truncate(bytes, flags);
        let backquoted = flags.sharp && can_backquote(bytes);
        let text = if backquoted {
            [b"`", bytes, b"`"].concat()
        } else {
            quote::quote_with(bytes, '"', flags.plus).into_bytes()
        };
        self.pad(&text, flags);
    }

    fn hex(&mut self, bytes: &[u8], upper: bool, flags: Flags) {
        let bytes = &bytes[..flags.precision.unwrap_or(bytes.len()).min(bytes.len())];
        let prefix = if upper { "0X" } else { "0x" };
        let mut text = String::new();
        for (at, byte) in bytes.iter().enumerate() {
            if at > 0 && flags.space {
                text.push(' ');
            }
            if flags.sharp && (at == 0 || flags.space) {
                text.push_str(prefix);
            }
            text.push_str(&if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
        }
        self.pad(text.as_bytes(), flags);
    }

    pub(super) fn float(&mut self, value: f64, verb: char, flags: Flags) {
        let (verb, default) = match verb {
            'v' => ('g', None),
            'F' => ('f', Some(6)),
            'f' | 'e' | 'E' => (verb, Some(6)),
            other => (other, None),
        };
        let precision = flags.precision.or(default);
        let text = float::format(value, verb, precision);
        let (sign, mut digits) = match text.as_bytes().first() {
            Some(b'-') => ("-", text[1..].to_owned()),
            Some(b'+') => ("+", text[1..].to_owned()),
            _ => ("+", text),
        };
        let sign = if flags.space && sign == "+" && !flags.plus { " " } else { sign };
        if digits.starts_with(['I', 'N']) {
            let bare = digits.starts_with('N') && !flags.space && !flags.plus;
            let sign =
                if bare || (sign == "+" && !flags.plus) && digits.starts_with('N') { "" } else { sign };
            return self.pad(format!("{sign}{digits}").as_bytes(), Flags { zero: false, ..flags });
        }
        if flags.sharp && verb != 'b' {
            digits = with_point(&digits, verb, precision);
        }
        let shown = if flags.plus || sign != "+" { sign } else { "" };
        let length = shown.len() + digits.len();
        if flags.zero && !flags.minus && flags.width.is_some_and(|width| width > length) {
            self.raw(shown.as_bytes());
            self.fill(flags.width.unwrap_or(0) - length, b'0');
            return self.raw(digits.as_bytes());
        }
        self.pad(format!("{shown}{digits}").as_bytes(), flags);
    }

    pub(super) fn int(&mut self, value: u64, negative: bool, unsigned: bool, verb: char, flags: Flags) {
        let value = if negative { value.wrapping_neg() } else { value };
        let signed = if negative { value.wrapping_neg() } else { value };
        match verb {
            'c' => self.pad(rune(signed).encode_utf8(&mut [0; 4]).as_bytes(), flags),
            'q' => {
                let text =
                    quote::quote_with(rune(signed).encode_utf8(&mut [0; 4]).as_bytes(), '\'', flags.plus);
                self.pad(text.as_bytes(), flags);
            }
            'U' => self.unicode(signed, flags),
            'v' if flags.syntax && unsigned => {
                self.integer(value, false, 'x', Flags { sharp: true, syntax: false, ..flags });
            }
            _ => self.integer(value, negative, verb, flags),
        }
    }

    fn integer(&mut self, value: u64, negative: bool, verb: char, flags: Flags) {
        let mut digits = match verb {
            'b' => format!("{value:b}"),
            'o' | 'O' => format!("{value:o}"),
            'x' => format!("{value:x}"),
            'X' => format!("{value:X}"),
            _ => value.to_string(),
        };
        let plain = Flags { zero: false, ..flags };
        let mut precision = 0;
        if let Some(wanted) = flags.precision {
            if wanted == 0 && value == 0 {
                return self.fill(flags.width.unwrap_or(0), b' ');
            }
            precision = wanted;
        } else if flags.zero && !flags.minus {
            precision = flags.width.unwrap_or(0);
            precision = precision.saturating_sub(usize::from(negative || flags.plus || flags.space));
        }
        if digits.len() < precision {
            digits = "0".repeat(precision - digits.len()) + &digits;
        }
        let prefix = match verb {
            'b' if flags.sharp => "0b",
            'o' if flags.sharp && !digits.starts_with('0') => "0",
            'O' if flags.sharp && !digits.starts_with('0') => "0o0",
            'x' if flags.sharp => "0x",
            'X' if flags.sharp => "0X",
            'O' => "0o",
            _ => "",
        };
        let sign = match (negative, flags.plus, flags.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        self.pad(format!("{sign}{prefix}{digits}").as_bytes(), plain);
    }

    fn unicode(&mut self, value: u64, flags: Flags) {
        let precision = flags.precision.unwrap_or(4).max(4);
        let mut text = format!("U+{value:0precision$X}");
        if flags.sharp
            && let Some(character) = u32::try_from(value).ok().and_then(char::from_u32)
            && quote::is_print(character)
        {
            text.push_str(&format!(" '{character}'"));
        }
        self.pad(text.as_bytes(), Flags { zero: false, ..flags });
    }
}

fn rune(value: u64) -> char {
    u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn truncate(bytes: &[u8], flags: Flags) -> &[u8] {
    let Some(precision) = flags.precision else { return bytes };
    let length: usize = runes(bytes).take(precision).map(|(_, size)| size).sum();
    &bytes[..length]
}

/// What `#` asks of a float: a decimal point always, and for `%g` its trailing zeros.
fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let wanted = if "gGx".contains(verb) { precision.unwrap_or(6) } else { 0 };
    let tail_at = match verb {
        'x' | 'X' => text.find(['p', 'P']),
        _ => text.find(['e', 'E']),
    };
    let (number, tail) = text.split_at(tail_at.unwrap_or(text.len()));
    let significant = number.chars().filter(|next| *next != '.').skip_while(|next| *next == '0').count();
    let mut missing = wanted.saturating_sub(significant);
    let mut out = number.to_owned();
    if !number.contains('.') {
        if number == "0" {
            missing = missing.saturating_sub(1);
        }
        out.push('.');
    }
    out.push_str(&"0".repeat(missing));
    out + tail
}
