//! One event as one line, standard or JSON, in the form that log pipelines know from the original.

use std::{borrow::Cow, fmt::Write as _, time::SystemTime};

use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use tracing::{
    Level,
    field::{Field, Visit},
};

use super::level::LogFormat;

const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const MICROSECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// What one event says.
#[derive(Debug, Default)]
pub(super) struct Record {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

/// Everything about one event.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) time: SystemTime,
    pub(super) level: Level,
    pub(super) logger: &'a str,
    pub(super) record: Record,
}

impl Line<'_> {
    /// The line with its end.
    pub(super) fn text(&self, format: LogFormat) -> String {
        match format {
            LogFormat::Standard => self.standard(),
            LogFormat::Json => self.json(),
        }
    }

    fn standard(&self) -> String {
        let mut lines = self.record.message.lines();
        let mut text = self.stamp(MILLISECONDS);
        let tag = format!("[{}]", self.level);
        // Writing into a String can't fail.
        let _ = write!(text, " {tag:<7} {}: ", self.logger);
        push_visible(&mut text, lines.next().unwrap_or_default());
        if !self.record.fields.is_empty() {
            text.push(':');
        }
        let mut at_line_start = false;
        for (key, value) in &self.record.fields {
            at_line_start = push_field(&mut text, key, value, at_line_start);
        }
        if !at_line_start {
            text.push('\n');
        }
        lines.for_each(|line| push_block_line(&mut text, line));
        text
    }

    fn json(&self) -> String {
        let mut object = Map::new();
        for (key, value) in &self.record.fields {
            object.insert((*key).to_owned(), value.clone());
        }
        let own = [
            ("@level", self.level.as_str().to_ascii_lowercase()),
            ("@message", self.record.message.clone()),
            ("@module", self.logger.to_owned()),
            ("@timestamp", self.stamp(MICROSECONDS)),
        ];
        object.extend(own.map(|(key, value)| (key.to_owned(), Value::String(value))));
        let mut text = Value::Object(object).to_string();
        text.push('\n');
        text
    }

    fn stamp(&self, format: &[BorrowedFormatItem<'_>]) -> String {
        OffsetDateTime::from(self.time).format(format).unwrap_or_default()
    }
}

/// Adds one field; the answer says whether the text now ends a line.
fn push_field(text: &mut String, key: &str, value: &Value, at_line_start: bool) -> bool {
    let value: Cow<'_, str> = match value {
        Value::String(value) => value.as_str().into(),
        other => other.to_string().into(),
    };
    if value.contains('\n') {
        text.push_str(if at_line_start { "  " } else { "\n  " });
        text.push_str(key);
        text.push_str("=\n");
        value.lines().for_each(|line| push_block_line(text, line));
        return true;
    }
    text.push_str(if at_line_start { "   " } else { " " });
    text.push_str(key);
    text.push('=');
    if value.is_empty() || !value.chars().all(is_plain) {
        text.push('"');
        for (at, part) in value.split('"').enumerate() {
            if at > 0 {
                text.push_str("\\\"");
            }
            push_visible(text, part);
        }
        text.push('"');
    } else {
        text.push_str(&value);
    }
    false
}

/// Whether a value with this character needs no quotes. The range is the original's: it leaves out blanks and most
/// punctuation below the digits.
const fn is_plain(c: char) -> bool {
    matches!(c, '-'..='~')
}

fn push_block_line(text: &mut String, line: &str) {
    text.push_str("  | ");
    push_visible(text, line);
    text.push('\n');
}

fn push_visible(text: &mut String, line: &str) {
    if is_harmless(line) {
        text.push_str(line);
    } else {
        line.chars().for_each(|c| push_char(text, c));
    }
}

/// Whether a text can be written as it is, as nearly all are.
fn is_harmless(line: &str) -> bool {
    line.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Control characters would let text from outside forge lines or steer terminals; they are written as Go writes them.
fn push_char(text: &mut String, c: char) {
    let short = match c {
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\t' => "\\t",
        '\n' => "\\n",
        '\u{b}' => "\\v",
        '\u{c}' => "\\f",
        '\r' => "\\r",
        _ if c.is_control() => {
            // Writing into a String can't fail.
            let _ = if c < ' ' {
                write!(text, "\\x{:02x}", c as u32)
            } else {
                write!(text, "\\u{:04x}", c as u32)
            };
            return;
        }
        _ => return text.push(c),
    };
    text.push_str(short);
}

impl Record {
    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match (name, value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            (_, value) => self.fields.push((name.strip_prefix("r#").unwrap_or(name), value)),
        }
    }
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::String(value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, Value::String(crate::problem::chain(value)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::json;

    use super::*;

    fn line(message: &str, fields: &[(&'static str, Value)]) -> Line<'static> {
        Line {
            time: UNIX_EPOCH + Duration::from_micros(1_713_514_413_115_999),
            level: Level::INFO,
            logger: "agent.auth.handler",
            record: Record { message: message.into(), fields: fields.to_vec() },
        }
    }

    fn standard(message: &str, fields: &[(&'static str, Value)]) -> String {
        let text = line(message, fields).text(LogFormat::Standard);
        let start = "2024-04-19T08:13:33.115Z [INFO]  agent.auth.handler: ";
        text.strip_prefix(start).unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    #[test]
    fn tags_are_padded_to_seven_columns() {
        for (level, tag) in [
            (Level::TRACE, "[TRACE] agent"),
            (Level::DEBUG, "[DEBUG] agent"),
            (Level::INFO, "[INFO]  agent"),
            (Level::WARN, "[WARN]  agent"),
            (Level::ERROR, "[ERROR] agent"),
        ] {
            let text = Line { level, ..line("m", &[]) }.text(LogFormat::Standard);
            assert!(text.starts_with(&format!("2024-04-19T08:13:33.115Z {tag}")), "{text}");
        }
    }

    #[test]
    fn fields_follow_a_colon_and_are_quoted_when_needed() {
        assert_eq!(standard("plain", &[]), "plain\n");
        let fields = [
            ("k", json!("v")),
            ("k2", json!("v 2")),
            ("none", json!("")),
            ("n", json!(12)),
            ("yes", json!(true)),
            ("q", json!("a\"b\\c")),
            ("eq", json!("a=b")),
            ("umlaut", json!("ä")),
            ("path", json!("/a-b.c~")),
            ("sum", json!("1+1")),
            ("minus", json!(-1)),
        ];
        assert_eq!(
            standard("message", &fields),
            "message: k=v k2=\"v 2\" none=\"\" n=12 yes=true q=\"a\\\"b\\c\" eq=a=b umlaut=\"ä\" path=/a-b.c~ sum=\"1+1\" minus=-1\n"
        );
    }

    #[test]
    fn lines_of_a_value_are_a_block() {
        let fields = [("error", json!("Error making API request.\n\nCode: 403")), ("backoff", json!("1s"))];
        assert_eq!(
            standard("error authenticating", &fields),
            "error authenticating:\n  error=\n  | Error making API request.\n  | \n  | Code: 403\n   backoff=1s\n"
        );
        let fields = [("path", json!("p")), ("a", json!("1\n2")), ("b", json!("3\n4\n"))];
        assert_eq!(standard("m", &fields), "m: path=p\n  a=\n  | 1\n  | 2\n  b=\n  | 3\n  | 4\n");
    }

    #[test]
    fn lines_of_a_message_are_a_block_after_its_fields() {
        assert_eq!(
            standard("wrong\n  hint: mend it", &[("k", json!("v"))]),
            "wrong: k=v\n  |   hint: mend it\n"
        );
        assert_eq!(standard("", &[]), "\n");
    }

    #[test]
    fn text_from_outside_forges_no_lines_and_steers_no_terminal() {
        let text = standard("a\u{1b}[31m\rb", &[("k", json!("x\u{1b}\u{7}\t\u{7f}"))]);
        assert_eq!(text, "a\\x1b[31m\\rb: k=\"x\\x1b\\a\\t\\u007f\"\n");
        let text = standard("a\n2024-04-19T08:13:33.115Z [ERROR] agent: forged", &[]);
        assert!(text.lines().skip(1).all(|line| line.starts_with("  | ")), "{text}");
    }

    #[test]
    fn json_lines_have_the_four_names_and_typed_values() {
        let text = line("wrong\nhint", &[("n", json!(12)), ("ok", json!(false)), ("path", json!("a\"b"))])
            .text(LogFormat::Json);
        assert_eq!(
            text,
            "{\"@level\":\"info\",\"@message\":\"wrong\\nhint\",\"@module\":\"agent.auth.handler\",\
             \"@timestamp\":\"2024-04-19T08:13:33.115999Z\",\"n\":12,\"ok\":false,\"path\":\"a\\\"b\"}\n"
        );
        assert_eq!(text.matches('\n').count(), 1);
    }
}
