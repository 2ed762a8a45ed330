//! JSON as Go's `encoding/json` reads it into untyped values: all numbers are floats, the last duplicate wins.

use std::collections::BTreeMap;

use super::{MAX_DEPTH, bytes::utf8_pieces, number};
use crate::template::go::{
    funcs::FuncError,
    kind::Type,
    quote,
    value::{Key, Map, Value},
};

/// Reads one JSON value.
///
/// # Errors
/// Text that is not one JSON value, in Go's words (which quote at most one character).
pub fn read(text: &[u8]) -> Result<Value, FuncError> {
    let mut reader = Reader { text, at: 0, too_large: None };
    let value = reader.value(0)?;
    match (reader.peek(), reader.too_large) {
        (Some(byte), _) => Err(unexpected(byte, "after top-level value")),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(value),
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    /// The first number that does not fit a float: Go looks at the form of the whole text first.
    too_large: Option<FuncError>,
}

fn ends() -> FuncError {
    FuncError::new("unexpected end of JSON input")
}

fn unexpected(byte: u8, place: &str) -> FuncError {
    let shown = match byte {
        b'"' => "'\"'".to_owned(),
        // Go takes the byte for a character.
        _ => quote::quote_with(char::from(byte).encode_utf8(&mut [0; 4]).as_bytes(), '\'', false),
    };
    FuncError::quoting(
        format!("invalid character {shown} {place}"),
        format!("invalid JSON: unexpected character {place}"),
    )
}

impl Reader<'_> {
    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn value(&mut self, depth: usize) -> Result<Value, FuncError> {
        if depth > MAX_DEPTH {
            return Err(FuncError::new("JSON nests too deeply"));
        }
        let place = "looking for beginning of value";
        match self.peek().ok_or_else(ends)? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => Ok(Value::text(self.string()?)),
            b't' => self.word(b"true", Value::Bool(true)),
            b'f' => self.word(b"false", Value::Bool(false)),
            b'n' => self.word(b"null", Value::Nil),
            b'-' | b'0'..=b'9' => self.number(),
            other => Err(unexpected(other, place)),
        }
    }

    fn word(&mut self, word: &[u8], value: Value) -> Result<Value, FuncError> {
        for (index, expected) in word.iter().enumerate() {
            match self.text.get(self.at + index) {
                Some(byte) if byte == expected => {}
                Some(byte) => {
                    let name = String::from_utf8_lossy(word);
                    let place = format!("in literal {name} (expecting '{}')", char::from(*expected));
                    return Err(unexpected(*byte, &place));
                }
                // Go steps on with a blank to find out whether the text may end here.
                None => {
                    let name = String::from_utf8_lossy(word);
                    let place = format!("in literal {name} (expecting '{}')", char::from(*expected));
                    return Err(unexpected(b' ', &place));
                }
            }
        }
        self.at += word.len();
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Value, FuncError> {
        self.at += 1;
        let mut entries = BTreeMap::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(Map::new(&Type::String, &Type::Any, entries)));
        }
        loop {
            match self.peek().ok_or_else(ends)? {
                b'"' => {}
                other => return Err(unexpected(other, "looking for beginning of object key string")),
            }
            let key = self.string()?;
            match self.peek().ok_or_else(ends)? {
                b':' => self.at += 1,
                other => return Err(unexpected(other, "after object key")),
            }
            entries.insert(Key::String(key.into()), self.value(depth + 1)?);
            match self.peek().ok_or_else(ends)? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(Value::Map(Map::new(&Type::String, &Type::Any, entries)));
                }
                other => return Err(unexpected(other, "after object key:value pair")),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, FuncError> {
        self.at += 1;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::anys(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            match self.peek().ok_or_else(ends)? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(Value::anys(items));
                }
                other => return Err(unexpected(other, "after array element")),
            }
        }
    }

    fn digits(&mut self, place: &str) -> Result<(), FuncError> {
        match self.text.get(self.at) {
            Some(b'0'..=b'9') => {}
            other => return Err(unexpected(other.copied().unwrap_or(b' '), place)),
        }
        while matches!(self.text.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, FuncError> {
        let start = self.at;
        if self.text.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.text.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.text.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        let text = String::from_utf8_lossy(&self.text[start..self.at]);
        if let Ok(number) = number::parse_float(&text) {
            return Ok(Value::Float(number));
        }
        self.too_large.get_or_insert_with(|| {
            FuncError::quoting(
                format!("json: cannot unmarshal number {text} into Go value of type float64"),
                "a JSON number does not fit a float",
            )
        });
        Ok(Value::Nil)
    }

    fn string(&mut self) -> Result<Vec<u8>, FuncError> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let start = self.at;
            while self.text.get(self.at).is_some_and(|b| *b >= 0x20 && *b != b'"' && *b != b'\\') {
                self.at += 1;
            }
            push_valid(&self.text[start..self.at], &mut out);
            match self.text.get(self.at).ok_or_else(ends)? {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => self.escape(&mut out)?,
                other => return Err(unexpected(*other, "in string literal")),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), FuncError> {
        let letter = *self.text.get(self.at + 1).unwrap_or(&b' ');
        self.at += 2;
        let byte = match letter {
            b'"' | b'\\' | b'/' => letter,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let c = self.unicode()?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            other => return Err(unexpected(other, "in string escape code")),
        };
        out.push(byte);
        Ok(())
    }

    /// The character of `\uXXXX` (and a second one for a surrogate pair); a lone surrogate is U+FFFD.
    fn unicode(&mut self) -> Result<char, FuncError> {
        let first = self.hex4()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after = self.at;
        if self.text.get(after..after + 2) == Some(b"\\u") {
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Result<u32, FuncError> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = *self.text.get(self.at).unwrap_or(&b' ');
            let digit = char::from(byte)
                .to_digit(16)
                .ok_or_else(|| unexpected(byte, "in \\u hexadecimal character escape"))?;
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}

fn push_valid(bytes: &[u8], out: &mut Vec<u8>) {
    for piece in utf8_pieces(bytes) {
        match piece {
            Ok(text) => out.extend_from_slice(text.as_bytes()),
            Err(_) => out.extend_from_slice("\u{fffd}".as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::{Style, write};
    use super::*;

    fn again(text: &str) -> String {
        let value = read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        String::from_utf8(write(&value, Style { html: false, pretty: false }).unwrap()).unwrap()
    }

    #[test]
    fn values_are_read_as_go_reads_them() {
        assert_eq!(again(r#" {"b":[1,2.50,-0],"a":null,"b":{"x":true}} "#), r#"{"a":null,"b":{"x":true}}"#);
        assert_eq!(again(r#""\u00e9\ud83d\udca9\ud800x\/\b""#), "\"é💩\u{fffd}x/\\b\"");
        assert_eq!(again("12345678901234567890"), "12345678901234567000");
        assert_eq!(again("[]"), "[]");
    }

    #[test]
    fn errors_have_gos_words_and_show_no_text() {
        for (text, words) in [
            ("", "unexpected end of JSON input"),
            ("{bad", "invalid character 'b' looking for beginning of object key string"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
            ("nul", "invalid character ' ' in literal null (expecting 'l')"),
            ("1.", "invalid character ' ' after decimal point in numeric literal"),
            ("nux", "invalid character 'x' in literal null (expecting 'l')"),
            ("01", "invalid character '1' after top-level value"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            ("\"\\q\"", "invalid character 'q' in string escape code"),
        ] {
            let error = read(text.as_bytes()).err().unwrap();
            assert_eq!(error.go_text(), words, "{text}");
        }
        assert!(!format!("{:?}", read(b"{Q").err().unwrap()).contains('Q'));
        assert!(read("[".repeat(100_000).as_bytes()).is_err());
    }
}
