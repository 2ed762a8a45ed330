//! `fmt.Sprintf`: reads a format's verbs, flags, widths and argument indexes.

use super::{
    funcs::FuncError,
    printer::{Flags, Printer},
    quote::{Rune, runes},
    value::Value,
};
use crate::vault::value::Text;

/// Largest width or precision, as in Go.
const MAX_WIDTH: i64 = 1_000_000;

/// Formats by a format text.
///
/// # Errors
/// Data that nests too deep, text that gets too large.
pub fn sprintf(format: &[u8], args: &[Value]) -> Result<Text, FuncError> {
    let mut printer = Printer::default();
    Format { format, args, at: 0, next: 0, reordered: false, good: true }.run(&mut printer)?;
    Ok(printer.finish())
}

/// The reader of a format text.
struct Format<'f> {
    format: &'f [u8],
    args: &'f [Value],
    /// Position in the format.
    at: usize,
    /// The next argument.
    next: usize,
    reordered: bool,
    good: bool,
}

impl Format<'_> {
    fn run(mut self, printer: &mut Printer) -> Result<(), FuncError> {
        while self.at < self.format.len() {
            let rest = &self.format[self.at..];
            let plain = rest.iter().position(|byte| *byte == b'%').unwrap_or(rest.len());
            printer.raw(&rest[..plain]);
            self.at += plain;
            if self.at >= self.format.len() {
                break;
            }
            self.at += 1;
            if !self.verb(printer)? {
                break;
            }
        }
        self.extra(printer)
    }

    /// One verb; false at the end of the format.
    fn verb(&mut self, printer: &mut Printer) -> Result<bool, FuncError> {
        self.good = true;
        let mut flags = self.flags();
        let mut after_index = self.index();
        after_index = self.width(&mut flags, printer, after_index);
        after_index = self.precision(&mut flags, printer, after_index);
        if !after_index {
            self.index();
        }
        let Some((verb, size)) = runes(&self.format[self.at..]).next() else {
            printer.raw(b"%!(NOVERB)");
            return Ok(false);
        };
        self.at += size;
        let verb = match verb {
            Rune::Char(verb) => verb,
            Rune::Invalid(_) => char::REPLACEMENT_CHARACTER,
        };
        if verb == '%' {
            printer.raw(b"%");
        } else if !self.good {
            printer.raw(format!("%!{verb}(BADINDEX)").as_bytes());
        } else if let Some(arg) = self.args.get(self.next) {
            if verb == 'v' || verb == 'w' {
                flags.syntax = std::mem::take(&mut flags.sharp);
                flags.names = std::mem::take(&mut flags.plus);
            }
            printer.arg(arg, verb, flags)?;
            self.next += 1;
        } else {
            printer.raw(format!("%!{verb}(MISSING)").as_bytes());
        }
        Ok(true)
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some(byte) = self.format.get(self.at) {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        flags
    }

    fn width(&mut self, flags: &mut Flags, printer: &mut Printer, after_index: bool) -> bool {
        if self.format.get(self.at) == Some(&b'*') {
            self.at += 1;
            match self.int_arg() {
                None => printer.raw(b"%!(BADWIDTH)"),
                Some(width) => {
                    if width < 0 {
                        flags.minus = true;
                        flags.zero = false;
                    }
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
            }
            return false;
        }
        flags.width = self.number();
        if after_index && flags.width.is_some() {
            self.good = false;
        }
        after_index
    }

    fn precision(&mut self, flags: &mut Flags, printer: &mut Printer, after_index: bool) -> bool {
        if self.format.get(self.at) != Some(&b'.') || self.at + 1 >= self.format.len() {
            return after_index;
        }
        self.at += 1;
        if after_index {
            self.good = false;
        }
        let after_index = self.index();
        if self.format.get(self.at) == Some(&b'*') {
            self.at += 1;
            flags.precision = self.int_arg().and_then(|precision| usize::try_from(precision).ok());
            if flags.precision.is_none() {
                printer.raw(b"%!(BADPREC)");
            }
            return false;
        }
        flags.precision = Some(self.number().unwrap_or(0));
        after_index
    }

    /// An explicit argument index such as `[3]`.
    fn index(&mut self) -> bool {
        if self.format.get(self.at) != Some(&b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let Some(close) = rest.iter().position(|byte| *byte == b']') else {
            self.good = false;
            self.at += 1;
            return false;
        };
        let number = std::str::from_utf8(&rest[1..close])
            .ok()
            .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse::<usize>().ok())
            .filter(|number| *number <= 1_000_000);
        self.at += close + 1;
        match number {
            Some(number) if number >= 1 && number <= self.args.len() => {
                self.next = number - 1;
                true
            }
            other => {
                self.good = false;
                other.is_some()
            }
        }
    }

    fn number(&mut self) -> Option<usize> {
        let rest = &self.format[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        self.at += digits;
        let text = std::str::from_utf8(&rest[..digits]).ok()?;
        text.parse()
            .ok()
            .filter(|number: &i64| *number <= MAX_WIDTH)
            .and_then(|number| number.try_into().ok())
    }

    fn int_arg(&mut self) -> Option<i64> {
        let arg = self.args.get(self.next)?;
        self.next += 1;
        let number = match arg {
            Value::Int(number) | Value::Int64(number) => *number,
            Value::Uint64(number) => i64::try_from(*number).ok()?,
            Value::Uint8(number) => i64::from(*number),
            _ => return None,
        };
        (-MAX_WIDTH..=MAX_WIDTH).contains(&number).then_some(number)
    }

    fn extra(&self, printer: &mut Printer) -> Result<(), FuncError> {
        let rest = self.args.get(self.next..).unwrap_or_default();
        if self.reordered || rest.is_empty() {
            return Ok(());
        }
        printer.raw(b"%!(EXTRA ");
        for (at, arg) in rest.iter().enumerate() {
            if at > 0 {
                printer.raw(b", ");
            }
            if matches!(arg, Value::Nil) {
                printer.raw(b"<nil>");
            } else {
                printer.raw(arg.type_name().as_bytes());
                printer.raw(b"=");
                printer.arg(arg, 'v', Flags::default())?;
            }
        }
        printer.raw(b")");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f(format: &str, args: &[Value]) -> String {
        String::from_utf8_lossy(sprintf(format.as_bytes(), args).unwrap().as_bytes()).into_owned()
    }

    #[test]
    fn wrong_kinds_are_named() {
        assert_eq!(f("%d", &[Value::text("x")]), "%!d(string=x)");
        assert_eq!(f("%s", &[Value::Int(5)]), "%!s(int=5)");
        assert_eq!(f("%d", &[Value::Float(5.5)]), "%!d(float64=5.5)");
        assert_eq!(f("%d", &[Value::Number("5".into())]), "%!d(json.Number=5)");
        assert_eq!(f("%s", &[Value::Nil]), "%!s(<nil>)");
        assert_eq!(f("%z", &[Value::Int(1)]), "%!z(int=1)");
    }

    #[test]
    fn missing_and_extra_operands_are_named() {
        assert_eq!(f("%d", &[]), "%!d(MISSING)");
        assert_eq!(f("text", &[Value::Int(1), Value::Nil]), "text%!(EXTRA int=1, <nil>)");
        assert_eq!(f("100%", &[]), "100%!(NOVERB)");
        assert_eq!(f("%[2]s %[1]s", &[Value::text("a"), Value::text("b")]), "b a");
        assert_eq!(f("%[3]d", &[Value::Int(1)]), "%!d(BADINDEX)");
        assert_eq!(
            f("%*d|%-*d|", &[Value::Int(4), Value::Int(7), Value::Int(3), Value::Int(7)]),
            "   7|7  |"
        );
        assert_eq!(f("%*d", &[Value::text("x"), Value::Int(7)]), "%!(BADWIDTH)7");
    }

    #[test]
    fn numbers_take_flags() {
        assert_eq!(
            f("%05d|%+d|% d|%x|%#x|%b", &[5, 5, 5, 255, 255, 5].map(Value::Int)),
            "00005|+5| 5|ff|0xff|101"
        );
        assert_eq!(
            f("%6.2f|%-6.1f|%06.1f|%+g", &[1.0, 1.0, -1.0, 1.0].map(Value::Float)),
            "  1.00|1.0   |-001.0|+1"
        );
        assert_eq!(f("%#g %#.3e %6.3v", &[1.0, 1.0, 1.23456].map(Value::Float)), "1.00000 1.000e+00   1.23");
        assert_eq!(f("%c%q%U%#U", &[65, 65, 65, 65].map(Value::Int)), "A'A'U+0041U+0041 'A'");
        assert_eq!(f("%d", &[Value::Int(i64::MIN)]), "-9223372036854775808");
        assert_eq!(f("%v %5v|", &[Value::Float(f64::INFINITY), Value::Float(f64::NAN)]), "+Inf   NaN|");
    }

    #[test]
    fn strings_take_flags() {
        let text = |text: &str| Value::text(text);
        assert_eq!(
            f("%05s|%-5s|%.2s|%q", &[text("ab"), text("ab"), text("héé"), text("a\"\n")]),
            r#"000ab|ab   |hé|"a\"\n""#
        );
        assert_eq!(
            f("%x|% x|%#x|%X|%# x", &[text("hi"), text("hi"), text("hi"), text("hi"), text("hi")]),
            "6869|68 69|0x6869|6869|0x68 0x69"
        );
        assert_eq!(f("%#q|%+q", &[text("a\\b"), text("é")]), r#"`a\b`|"\u00e9""#);
    }

    #[test]
    fn verbs_go_down_into_containers() {
        let list = Value::anys(vec![Value::Float(1.0), Value::text("a"), Value::Nil]);
        assert_eq!(f("%s", std::slice::from_ref(&list)), "[%!s(float64=1) a <nil>]");
        assert_eq!(f("%#v", &[list]), r#"[]interface {}{1, "a", interface {}(nil)}"#);
        assert_eq!(f("%q", &[Value::strings(["a", "b"])]), r#"["a" "b"]"#);
        assert_eq!(f("%T %T", &[Value::Nil, Value::strings(["a"])]), "<nil> []string");
        assert_eq!(
            f("%#v", &[Value::dict([("a".into(), Value::Int(1))])]),
            r#"map[string]interface {}{"a":1}"#
        );
    }
}
