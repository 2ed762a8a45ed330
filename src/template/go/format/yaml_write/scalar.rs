//! One YAML scalar: which style it can have, and its text in that style, folded as libyaml folds.

use std::fmt::Write as _;

/// Lines are folded at the first blank after this column.
const WIDTH: usize = 80;

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As it is.
    Plain,
    /// Between apostrophes.
    Single,
    /// Between quotes, with escapes.
    Double,
    /// A block behind `|`.
    Literal,
}

/// What stands in the way of a style.
#[derive(Default)]
struct Traits {
    /// Blanks or breaks at an end, breaks inside, or marks that mean something.
    not_plain: bool,
    not_single: bool,
    not_block: bool,
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank_or_end(c: Option<char>) -> bool {
    c.is_none_or(|c| matches!(c, ' ' | '\t') || is_break(c))
}

/// What libyaml calls printable; it leaves out the tab and everything beyond the BMP.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

impl Style {
    /// The style for a text; `tagged` text never reads as another type.
    pub(super) fn of(text: &str, tagged: bool) -> Self {
        let wanted = if text.contains('\n') {
            Self::Literal
        } else if tagged || super::stands_plain(text) {
            Self::Plain
        } else {
            Self::Double
        };
        let traits = Traits::of(text);
        match wanted {
            Self::Plain if !traits.not_plain => Self::Plain,
            Self::Plain if !traits.not_single => Self::Single,
            Self::Literal if !traits.not_block => Self::Literal,
            _ => Self::Double,
        }
    }
}

impl Traits {
    fn of(text: &str) -> Self {
        let mut traits = Self::default();
        let mut marks = text.starts_with("---") || text.starts_with("...");
        let (mut special, mut breaks) = (false, false);
        let (mut after_space, mut after_break, mut after_white) = (false, false, true);
        let (mut break_space, mut space_break) = (false, false);
        let mut rest = text.chars();
        let mut first = true;
        while let Some(c) = rest.next() {
            let before_white = is_blank_or_end(rest.clone().next());
            marks |= match c {
                '#' if !first => after_white,
                '-' | '?' if first => before_white,
                ':' => before_white,
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                | '`' => first,
                _ => false,
            };
            special |= !is_printable(c);
            break_space |= c == ' ' && after_break;
            space_break |= is_break(c) && after_space;
            breaks |= is_break(c);
            (after_space, after_break) = (c == ' ', is_break(c));
            after_white = is_blank_or_end(Some(c));
            first = false;
        }
        let edge = |c: Option<char>| c.is_some_and(|c| c == ' ' || is_break(c));
        let trailing_space = text.ends_with(' ');
        traits.not_plain =
            edge(text.chars().next()) || edge(text.chars().next_back()) || breaks || marks || break_space;
        traits.not_single = break_space;
        traits.not_block = trailing_space || text.is_empty();
        if space_break || special {
            return Self { not_plain: true, not_single: true, not_block: true };
        }
        traits
    }
}

/// Writes a scalar. `indent` is where further lines start; `None`: it must stay on one line (a key).
pub(super) fn write(out: &mut String, text: &str, style: Style, indent: Option<usize>) {
    let style = if style == Style::Literal && indent.is_none() { Style::Double } else { style };
    let line = Line { start: out.rfind('\n').map_or(0, |at| at + 1), indent };
    match style {
        Style::Plain => plain(out, text, line),
        Style::Single => single(out, text, line),
        Style::Double => double(out, text, line),
        Style::Literal => literal(out, text, indent.unwrap_or(0)),
    }
}

/// The line being written.
#[derive(Clone, Copy)]
struct Line {
    /// Where in the output it starts.
    start: usize,
    indent: Option<usize>,
}

impl Line {
    /// Breaks the line if it is long enough and may be broken.
    fn fold(&mut self, out: &mut String) -> bool {
        let Some(indent) = self.indent else { return false };
        if out[self.start..].chars().count() <= WIDTH {
            return false;
        }
        out.push('\n');
        self.start = out.len();
        out.extend(std::iter::repeat_n(' ', indent));
        true
    }
}

fn plain(out: &mut String, text: &str, mut line: Line) {
    let mut rest = text.chars();
    let mut after_space = false;
    while let Some(c) = rest.next() {
        let foldable = c == ' ' && !after_space && !rest.as_str().starts_with(' ');
        if !(foldable && line.fold(out)) {
            out.push(c);
        }
        after_space = c == ' ';
    }
}

fn single(out: &mut String, text: &str, mut line: Line) {
    out.push('\'');
    let mut rest = text.chars();
    let (mut after_space, mut after_break, mut first) = (false, false, true);
    while let Some(c) = rest.next() {
        let next = rest.as_str();
        let foldable = c == ' ' && !after_space && !first && !next.is_empty() && !next.starts_with(' ');
        if foldable && line.fold(out) {
            after_space = true;
            continue;
        }
        if after_break && !is_break(c) {
            out.extend(std::iter::repeat_n(' ', line.indent.unwrap_or(0)));
        }
        if c == '\'' {
            out.push('\'');
        }
        out.push(c);
        if is_break(c) {
            line.start = out.len();
        }
        (after_space, after_break, first) = (c == ' ', is_break(c), false);
    }
    out.push('\'');
}

fn double(out: &mut String, text: &str, mut line: Line) {
    out.push('"');
    let mut rest = text.chars();
    let (mut after_space, mut first) = (false, true);
    // The original takes every character of such a text for the mark.
    let marked = text.starts_with('\u{feff}');
    while let Some(c) = rest.next() {
        let next = rest.as_str();
        if marked {
            escape(out, c);
        } else if c == ' ' && !after_space && !first && !next.is_empty() && line.fold(out) {
            if next.starts_with(' ') {
                out.push('\\');
            }
        } else if !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
            escape(out, c);
        } else {
            out.push(c);
        }
        (after_space, first) = (c == ' ', false);
    }
    out.push('"');
}

fn escape(out: &mut String, c: char) {
    let code = u32::from(c);
    let short = match c {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '"' | '\\' => c,
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            // Writing to a String cannot fail.
            let _ = match code {
                ..=0xff => write!(out, "\\x{code:02X}"),
                0x100..=0xffff => write!(out, "\\u{code:04X}"),
                _ => write!(out, "\\U{code:08X}"),
            };
            return;
        }
    };
    out.extend(['\\', short]);
}

fn literal(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    if text.starts_with(' ') || text.starts_with(is_break) {
        out.push('2');
    }
    let mut ends = text.chars().rev();
    match (ends.next().is_some_and(is_break), ends.next().is_none_or(is_break)) {
        (false, _) => out.push('-'),
        (true, true) => out.push('+'),
        (true, false) => {}
    }
    out.push('\n');
    let mut fresh = true;
    for c in text.chars() {
        if is_break(c) {
            out.push(c);
            fresh = true;
            continue;
        }
        if std::mem::take(&mut fresh) {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push(c);
    }
}
