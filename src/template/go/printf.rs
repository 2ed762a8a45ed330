//! `fmt.Sprintf`: verbs, flags, widths, argument indexes, and Go's words for what doesn't fit.

use super::{
    float,
    funcs::FuncError,
    object::Object,
    quote::{self, Rune, runes},
    value::{List, Map, Value},
};
use crate::vault::value::Text;
use zeroize::Zeroizing;

/// How deep data may nest to be printed.
const MAX_DEPTH: usize = 200;

/// How large a printed text may get.
const MAX_TEXT: usize = 32 << 20;

/// Largest width or precision, as in Go.
const MAX_WIDTH: i64 = 1_000_000;

/// The flags of one verb.
#[derive(Clone, Copy, Default)]
pub struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// `%+v`
    names: bool,
    /// `%#v`
    syntax: bool,
}

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

/// Collects printed text.
#[derive(Default)]
pub struct Printer {
    out: Zeroizing<Vec<u8>>,
    /// Inside the words about a wrong verb, where `String` methods are not asked.
    complaining: bool,
}

impl Printer {
    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// What was printed.
    pub fn finish(mut self) -> Text {
        std::mem::take(&mut *self.out).into()
    }

    /// Prints one operand.
    ///
    /// # Errors
    /// Data that nests too deep, text that gets too large.
    pub fn arg(&mut self, value: &Value, verb: char, flags: Flags) -> Result<(), FuncError> {
        match (value, verb) {
            (Value::Nil, 'v' | 'T') => self.pad(b"<nil>", flags),
            (_, 'T') => self.string(value.type_name().as_bytes(), 's', flags),
            (Value::Nil, _) => return self.bad_verb(value, verb, flags),
            _ => return self.value(value, verb, flags, 0),
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, verb: char, flags: Flags, depth: usize) -> Result<(), FuncError> {
        if depth > MAX_DEPTH {
            return Err(FuncError::new("the data nests deeper than 200 levels and can't be printed"));
        }
        if self.out.len() > MAX_TEXT {
            return Err(FuncError::new("the printed text is larger than 32 MiB"));
        }
        match value {
            Value::Nil if flags.syntax => self.raw(b"interface {}(nil)"),
            Value::Nil => self.raw(b"<nil>"),
            Value::Bool(flag) if matches!(verb, 't' | 'v') => {
                self.pad(if *flag { b"true" } else { b"false" }, flags);
            }
            Value::Int(number) | Value::Int64(number) if int_verb(verb) => {
                self.int(number.cast_unsigned(), *number < 0, false, verb, flags);
            }
            Value::Uint64(number) if int_verb(verb) => self.int(*number, false, true, verb, flags),
            Value::Uint8(number) if int_verb(verb) => self.int(u64::from(*number), false, true, verb, flags),
            Value::Float(number) if "vbgGxXfFeE".contains(verb) => self.float(*number, verb, flags),
            Value::Number(text) if !self.complaining && !flags.syntax && "vsxXq".contains(verb) => {
                self.string(text.as_bytes(), verb, flags);
            }
            Value::String(text) | Value::Number(text) if "vsxXq".contains(verb) => {
                self.string(text.as_bytes(), verb, flags);
            }
            Value::List(list) => return self.list(list, verb, flags, depth),
            Value::Map(map) => return self.map(map, verb, flags, depth),
            Value::Object(object) => return self.object(object, verb, flags, depth),
            Value::NilPointer(_) if verb == 'v' && flags.syntax => {
                self.raw(format!("({})(nil)", value.type_name()).as_bytes());
            }
            Value::NilPointer(_) if verb == 'v' => self.pad(b"<nil>", flags),
            Value::NilPointer(_) if verb == 'p' => self.pad(b"0x0", flags),
            Value::NilPointer(_) if "bodxX".contains(verb) => self.int(0, false, true, verb, flags),
            Value::Channel(_) if matches!(verb, 'v' | 'p') => self.pad(ADDRESS.as_bytes(), flags),
            _ => return self.bad_verb(value, verb, flags),
        }
        Ok(())
    }

    fn list(&mut self, list: &List, verb: char, flags: Flags, depth: usize) -> Result<(), FuncError> {
        if verb == 'p' {
            self.pad(ADDRESS.as_bytes(), flags);
            return Ok(());
        }
        if flags.syntax {
            self.raw(format!("[]{}", list.elem).as_bytes());
            if list.is_nil() {
                self.raw(b"(nil)");
                return Ok(());
            }
        }
        let (open, comma, close): (&[u8], &[u8], &[u8]) =
            if flags.syntax { (b"{", b", ", b"}") } else { (b"[", b" ", b"]") };
        self.raw(open);
        for (at, item) in list.items().iter().enumerate() {
            if at > 0 {
                self.raw(comma);
            }
            self.value(item, verb, flags, depth + 1)?;
        }
        self.raw(close);
        Ok(())
    }

    fn map(&mut self, map: &Map, verb: char, flags: Flags, depth: usize) -> Result<(), FuncError> {
        if verb == 'p' {
            self.pad(ADDRESS.as_bytes(), flags);
            return Ok(());
        }
        let (open, comma, close): (&[u8], &[u8], &[u8]) =
            if flags.syntax { (b"{", b", ", b"}") } else { (b"map[", b" ", b"]") };
        if flags.syntax {
            self.raw(format!("map[{}]{}", map.key, map.elem).as_bytes());
            if map.is_nil() {
                self.raw(b"(nil)");
                return Ok(());
            }
        }
        self.raw(open);
        for (at, (key, value)) in map.entries().into_iter().enumerate() {
            if at > 0 {
                self.raw(comma);
            }
            self.value(&key.value(), verb, flags, depth + 1)?;
            self.raw(b":");
            self.value(&value, verb, flags, depth + 1)?;
        }
        self.raw(close);
        Ok(())
    }

    fn object(&mut self, object: &Object, verb: char, flags: Flags, depth: usize) -> Result<(), FuncError> {
        if let Some(text) = object.of.text
            && !self.complaining
            && !flags.syntax
            && "vsxXq".contains(verb)
        {
            self.string(text(object).as_bytes(), verb, flags);
            return Ok(());
        }
        if object.pointer && (depth > 0 || verb == 'p') {
            self.pad(ADDRESS.as_bytes(), flags);
            return Ok(());
        }
        if object.pointer {
            self.raw(b"&");
        }
        self.fields(object, verb, flags, depth + 1)
    }

    /// A struct, or what a pointer to one points to.
    ///
    /// # Errors
    /// As [`Printer::arg`].
    pub fn structure(&mut self, object: &Object, flags: Flags) -> Result<(), FuncError> {
        match object.of.text {
            Some(text) => {
                self.raw(text(object).as_bytes());
                Ok(())
            }
            None => self.fields(object, 'v', flags, 1),
        }
    }

    fn fields(&mut self, object: &Object, verb: char, flags: Flags, depth: usize) -> Result<(), FuncError> {
        if flags.syntax {
            self.raw(object.of.name.as_bytes());
        }
        self.raw(b"{");
        for (at, ((name, _), value)) in object.of.fields.iter().zip(&object.fields).enumerate() {
            if at > 0 {
                self.raw(if flags.syntax { b", " } else { b" " });
            }
            if flags.names || flags.syntax {
                self.raw(name.as_bytes());
                self.raw(b":");
            }
            self.value(value, verb, flags, depth)?;
        }
        self.raw(b"}");
        Ok(())
    }

    fn bad_verb(&mut self, value: &Value, verb: char, flags: Flags) -> Result<(), FuncError> {
        let outer = std::mem::replace(&mut self.complaining, true);
        self.raw(format!("%!{verb}(").as_bytes());
        if matches!(value, Value::Nil) {
            self.raw(b"<nil>");
        } else {
            self.raw(value.type_name().as_bytes());
            self.raw(b"=");
            self.arg(value, 'v', flags)?;
        }
        self.raw(b")");
        self.complaining = outer;
        Ok(())
    }

    fn pad(&mut self, bytes: &[u8], flags: Flags) {
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

    fn fill(&mut self, count: usize, filler: u8) {
        let length = self.out.len() + count;
        self.out.resize(length, filler);
    }

    fn string(&mut self, bytes: &[u8], verb: char, flags: Flags) {
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

    fn float(&mut self, value: f64, verb: char, flags: Flags) {
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

    fn int(&mut self, value: u64, negative: bool, unsigned: bool, verb: char, flags: Flags) {
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

/// What stands for an address: real ones would differ from run to run.
const ADDRESS: &str = "0xc000000000";

fn int_verb(verb: char) -> bool {
    "vdboOxXcqU".contains(verb)
}

fn rune(value: u64) -> char {
    u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn truncate(bytes: &[u8], flags: Flags) -> &[u8] {
    let Some(precision) = flags.precision else { return bytes };
    let length: usize = runes(bytes).take(precision).map(|(_, size)| size).sum();
    &bytes[..length]
}

fn can_backquote(bytes: &[u8]) -> bool {
    runes(bytes).all(|(rune, _)| match rune {
        Rune::Invalid(_) => false,
        Rune::Char('\t') => true,
        Rune::Char(character) => !matches!(character, '\0'..='\u{1f}' | '`' | '\u{7f}' | '\u{feff}'),
    })
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
