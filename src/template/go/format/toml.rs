//! TOML in the layout of Go's BurntSushi encoder: simple keys first, tables after them, two spaces per level.

use super::{
    MAX_DEPTH, number,
    time::{self, Time},
};
use crate::template::go::{
    funcs::FuncError,
    kind::Type,
    meter,
    object::Object,
    value::{List, Map, Value},
};

/// Writes a value: a map or struct as a document, anything else as a bare value.
///
/// # Errors
/// nil, nil in lists, maps whose keys are not text, lists of maps at the top, values nested absurdly deep.
pub fn write(value: &Value) -> Result<Vec<u8>, FuncError> {
    if matches!(value, Value::Nil) {
        // What Go's encoder says when it meets nil.
        return Err(FuncError::new("reflect: call of reflect.Value.Type on zero Value"));
    }
    if matches!(value, Value::NilPointer(_)) {
        return Ok(Vec::new());
    }
    if matches!(value, Value::Complex(..) | Value::Channel(_)) {
        return Err(FuncError::new(format!("toTOML: unsupported type for key '': {}", value.kind_name())));
    }
    let mut writer = Writer { out: Vec::new() };
    let result = match (table(value), is_table_list(value)) {
        (Some(Ok(entries)), _) => writer.table(&entries, &[]),
        (Some(Err(error)), _) | (_, Err(error)) => Err(error),
        (None, Ok(true)) => Err(FuncError::new("toml: top-level values must be Go maps or structs")),
        (None, Ok(false)) => writer.value(value, 0),
    };
    result.map_err(|error| error.prefixed("toTOML: "))?;
    Ok(writer.out)
}

type Entries = Vec<(Vec<u8>, Value)>;

struct Writer {
    out: Vec<u8>,
}

/// The entries of what becomes a table; `None`: it is none.
fn table(value: &Value) -> Option<Result<Entries, FuncError>> {
    match value {
        Value::Map(map) => Some(map_entries(map)),
        Value::Object(object) if object.state::<Time>().is_none() && object.of.text.is_none() => {
            Some(Ok(fields(object)))
        }
        _ => None,
    }
}

fn map_entries(map: &Map) -> Result<Entries, FuncError> {
    if *map.key != Type::String {
        return Err(FuncError::new("toml: cannot encode a map with non-string key type"));
    }
    let entries = map.entries().into_iter().filter_map(|(key, value)| {
        let key = key.text().map_or(&[][..], |text| text.as_bytes());
        Some((key.to_vec(), value)).filter(|(_, value)| !is_nil(value))
    });
    Ok(entries.collect())
}

fn fields(object: &Object) -> Entries {
    let names = object.of.fields.iter().map(|(name, _)| name.as_bytes().to_vec());
    names.zip(object.fields.iter().cloned()).filter(|(_, value)| !is_nil(value)).collect()
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil | Value::NilPointer(_) => true,
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        _ => false,
    }
}

/// Whether a value is a list of tables only.
fn is_table_list(value: &Value) -> Result<bool, FuncError> {
    let Value::List(list) = value else { return Ok(false) };
    if list.items().iter().any(is_nil) {
        return Err(FuncError::new("toml: cannot encode array with nil element"));
    }
    Ok(!list.is_empty() && list.items().iter().all(|item| table(item).is_some()))
}

impl Writer {
    fn table(&mut self, entries: &Entries, path: &[Vec<u8>]) -> Result<(), FuncError> {
        if path.len() > MAX_DEPTH {
            return Err(FuncError::new("toml: the value nests too deeply"));
        }
        let mut tables = Vec::new();
        for (key, value) in entries {
            meter::visit(value, self.out.len())?;
            if table(value).is_some() || is_table_list(value)? {
                tables.push((key, value));
                continue;
            }
            self.indent(path.len());
            self.key(key);
            self.text(" = ");
            self.value(value, path.len())?;
            self.out.push(b'\n');
        }
        for (key, value) in tables {
            let path: Vec<Vec<u8>> = path.iter().chain([key]).cloned().collect();
            match (value, table(value)) {
                (_, Some(entries)) => {
                    if path.len() == 1 {
                        self.blank_line();
                    }
                    self.header(&path, b"[", b"]");
                    self.table(&entries?, &path)?;
                }
                (Value::List(list), None) => self.tables(list, &path)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn tables(&mut self, list: &List, path: &[Vec<u8>]) -> Result<(), FuncError> {
        for item in list.items() {
            meter::visit(item, self.out.len())?;
            let Some(entries) = table(item) else { continue };
            self.blank_line();
            self.header(path, b"[[", b"]]");
            self.table(&entries?, path)?;
        }
        Ok(())
    }

    fn blank_line(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b'\n');
        }
    }

    fn header(&mut self, path: &[Vec<u8>], open: &[u8], close: &[u8]) {
        self.indent(path.len() - 1);
        self.out.extend_from_slice(open);
        for (number, key) in path.iter().enumerate() {
            if number > 0 {
                self.out.push(b'.');
            }
            self.key(key);
        }
        self.out.extend_from_slice(close);
        self.out.push(b'\n');
    }

    fn indent(&mut self, level: usize) {
        self.out.extend(std::iter::repeat_n(b' ', 2 * level));
    }

    fn key(&mut self, key: &[u8]) {
        let bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !key.is_empty() && key.iter().all(bare) {
            self.out.extend_from_slice(key);
        } else {
            self.string(key);
        }
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), FuncError> {
        if depth > MAX_DEPTH {
            return Err(FuncError::new("toml: the value nests too deeply"));
        }
        meter::visit(value, self.out.len())?;
        match value {
            Value::Bool(flag) => self.text(if *flag { "true" } else { "false" }),
            Value::Int(number) | Value::Int64(number) => self.text(&number.to_string()),
            Value::Uint64(number) => self.text(&number.to_string()),
            Value::Uint8(number) => self.text(&number.to_string()),
            Value::Float(number) => self.text(&number::toml(*number)),
            Value::Number(text) => self.number(&String::from_utf8_lossy(text.as_bytes()))?,
            Value::String(text) => self.string(text.as_bytes()),
            Value::List(list) => return self.list(list, depth),
            Value::Map(_) => return self.inline(value, depth),
            Value::Object(object) => match (object.state::<Time>(), object.of.text) {
                (Some(time), _) => self.text(&time::rfc3339_nano(time)),
                (None, Some(text)) => self.string(text(object).as_bytes()),
                (None, None) => return self.inline(value, depth),
            },
            Value::Nil | Value::NilPointer(_) => {
                return Err(FuncError::new("toml: cannot encode array with nil element"));
            }
            Value::Complex(..) | Value::Channel(_) => {
                return Err(FuncError::new(format!("toml: unsupported type: {}", value.kind_name())));
            }
        }
        Ok(())
    }

    fn number(&mut self, text: &str) -> Result<(), FuncError> {
        match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(whole), _) => self.text(&whole.to_string()),
            (_, Ok(float)) => self.text(&number::toml(float)),
            _ => return Err(FuncError::new("toml: unable to convert a number to int64 or float64")),
        }
        Ok(())
    }

    fn list(&mut self, list: &List, depth: usize) -> Result<(), FuncError> {
        self.out.push(b'[');
        for (number, item) in list.items().iter().enumerate() {
            if number > 0 {
                self.text(", ");
            }
            self.value(item, depth + 1)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn inline(&mut self, value: &Value, depth: usize) -> Result<(), FuncError> {
        let Some(entries) = table(value) else { return Ok(()) };
        let mut entries = entries?;
        // Tables come after plain values here, too.
        entries.sort_by_key(|(_, item)| table(item).is_some());
        self.out.push(b'{');
        for (number, (key, item)) in entries.iter().enumerate() {
            if number > 0 {
                self.text(", ");
            }
            self.key(key);
            self.text(" = ");
            self.value(item, depth + 1)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// A quoted text; bytes that are no UTF-8 stay as they are.
    fn string(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        for byte in bytes {
            match byte {
                b'"' => self.text("\\\""),
                b'\\' => self.text("\\\\"),
                0x08 => self.text("\\b"),
                b'\t' => self.text("\\t"),
                b'\n' => self.text("\\n"),
                0x0c => self.text("\\f"),
                b'\r' => self.text("\\r"),
                0..=0x1f | 0x7f => self.text(&format!("\\u{byte:04x}")),
                _ => self.out.push(*byte),
            }
        }
        self.out.push(b'"');
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(value: &Value) -> String {
        String::from_utf8(write(value).unwrap_or_else(|error| panic!("{}", error.go_text()))).unwrap()
    }

    fn fails(value: &Value) -> String {
        write(value).unwrap_err().go_text().to_owned()
    }

    fn dict(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
        Value::dict(entries.into_iter().map(|(key, value)| (key.into(), value)))
    }

    #[test]
    fn tables_come_after_simple_keys() {
        let one = |key, value| dict([(key, value)]);
        let value = dict([
            ("a", dict([("x", Value::Int(1)), ("b", Value::anys(vec![one("c", Value::Int(1))]))])),
            ("i", Value::anys(vec![one("j", Value::Float(1.0)), one("j", Value::Float(2.0))])),
            ("k l", Value::text("q\u{7f}\u{1}\n")),
            ("z", Value::Nil),
            ("m", Value::anys(vec![one("d", Value::Int(1)), Value::Int(5)])),
        ]);
        assert_eq!(
            toml(&value),
            "\"k l\" = \"q\\u007f\\u0001\\n\"\nm = [{d = 1}, 5]\n\n[a]\n  x = 1\n\n  [[a.b]]\n    c = 1\n\n[[i]]\n  j = 1.0\n\n[[i]]\n  j = 2.0\n"
        );
        assert_eq!(toml(&dict([("a", dict([("b", dict([]))]))])), "[a]\n  [a.b]\n");
    }

    #[test]
    fn bare_values_and_numbers() {
        assert_eq!(toml(&Value::anys(vec![Value::Int(1), Value::text("x")])), "[1, \"x\"]");
        assert_eq!(toml(&Value::Number("12345678901234567890".into())), "12345678901234567000.0");
        assert_eq!(toml(&Value::Number("-5".into())), "-5");
    }

    #[test]
    fn refusals_are_the_originals() {
        let yaml = Value::Map(Map::new(&Type::Any, &Type::Any, std::collections::BTreeMap::new()));
        assert_eq!(fails(&yaml), "toTOML: toml: cannot encode a map with non-string key type");
        assert_eq!(fails(&dict([("a", yaml)])), "toTOML: toml: cannot encode a map with non-string key type");
        assert_eq!(
            fails(&dict([("a", Value::anys(vec![Value::Nil]))])),
            "toTOML: toml: cannot encode array with nil element"
        );
        assert_eq!(
            fails(&Value::anys(vec![dict([])])),
            "toTOML: toml: top-level values must be Go maps or structs"
        );
        assert!(fails(&Value::Nil).starts_with("reflect: "));
    }
}
