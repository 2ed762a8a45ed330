//! Times read by a Go layout, with the errors of `time.Parse`.

use std::sync::Arc;

use super::time::{DAYS, MONTHS, OffsetForm, Pad, Part, Time, days_from_civil, next_part};
use crate::{
    clock::zone::Zone,
    template::go::{funcs::FuncError, quote::quote_time},
};

/// Reads `text` by `layout`; a time without a zone in it is in the local one.
///
/// # Errors
/// What Go refuses, in its words.
pub fn parse(layout: &str, text: &str, local: &Arc<Zone>) -> Result<Time, FuncError> {
    let mut parser = Parser { layout, text, rest: text, fields: Fields::default() };
    parser.run()?;
    parser.finish(local)
}

#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<u32>,
    day: Option<u32>,
    year_day: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    pm: Option<bool>,
    utc: bool,
    offset: Option<i32>,
    zone: String,
}

impl Fields {
    fn take_zone<'t>(&mut self, text: &'t str, part: Part) -> Result<&'t str, Fault> {
        Ok(match part {
            Part::Offset(OffsetForm { z: true, .. }) if text.starts_with('Z') => {
                self.utc = true;
                &text[1..]
            }
            Part::Offset(form) => {
                let (offset, rest) = offset(text, form)?;
                self.offset = Some(offset);
                rest
            }
            _ if text.starts_with("UTC") => {
                self.utc = true;
                &text[3..]
            }
            _ => {
                let length = zone_length(text).ok_or(Fault::Bad)?;
                self.zone = text[..length].to_owned();
                &text[length..]
            }
        })
    }
}

struct Parser<'t> {
    layout: &'t str,
    text: &'t str,
    rest: &'t str,
    fields: Fields,
}

enum Fault {
    /// The text does not fit the element.
    Bad,
    /// The named number is out of range.
    Range(&'static str),
}

type Taken<'t, T> = Result<(T, &'t str), Fault>;

impl<'t> Parser<'t> {
    fn error(&self, go: &str) -> FuncError {
        FuncError::quoting(
            format!("parsing time {}{go}", quote_time(self.text)),
            format!("the time does not fit the layout {:?}", self.layout),
        )
    }

    fn cannot(&self, rest: &str, element: &str) -> FuncError {
        self.error(&format!(
            " as {}: cannot parse {} as {}",
            quote_time(self.layout),
            quote_time(rest),
            quote_time(element)
        ))
    }

    fn run(&mut self) -> Result<(), FuncError> {
        let mut layout = self.layout;
        loop {
            let (before, part, after) = next_part(layout);
            self.rest = skip(self.rest, before).map_err(|rest| self.cannot(rest, before))?;
            let Some((part, element)) = part else {
                if self.rest.is_empty() {
                    return Ok(());
                }
                return Err(self.error(&format!(": extra text: {}", quote_time(self.rest))));
            };
            let hold = self.rest;
            match self.take(part, after) {
                Ok(rest) => self.rest = rest,
                Err(Fault::Bad) => return Err(self.cannot(hold, element)),
                Err(Fault::Range(what)) => return Err(self.error(&format!(": {what} out of range"))),
            }
            layout = after;
        }
    }

    fn take(&mut self, part: Part, after: &str) -> Result<&'t str, Fault> {
        let text = self.rest;
        let fields = &mut self.fields;
        Ok(match part {
            Part::LongYear => set(&mut fields.year, digits(text, 4, 4)?),
            Part::Year => {
                let (year, rest) = digits(text, 2, 2)?;
                fields.year = if year >= 69 { 1900 + year } else { 2000 + year };
                rest
            }
            Part::LongMonth | Part::MonthName => {
                let (index, rest) = name(text, &MONTHS, part == Part::MonthName)?;
                fields.month = Some(index + 1);
                rest
            }
            Part::Month(pad) => {
                let (month, rest) = number(text, pad, 1..=12, "month")?;
                fields.month = Some(month);
                rest
            }
            Part::LongWeekday | Part::Weekday => name(text, &DAYS, part == Part::Weekday)?.1,
            Part::Day(pad) => {
                let text = if pad == Pad::Blank { text.strip_prefix(' ').unwrap_or(text) } else { text };
                let (day, rest) = number(text, pad, 0..=99, "day")?;
                fields.day = Some(day);
                rest
            }
            Part::YearDay(pad) => {
                let blanks = if pad == Pad::Blank { 2 } else { 0 };
                let trimmed = text.trim_start_matches(' ');
                let skipped = (text.len() - trimmed.len()).min(blanks);
                let least = if pad == Pad::Zero { 3 } else { 1 };
                let (day, rest) = digits(&text[skipped..], least, 3)?;
                fields.year_day = u32::try_from(day).ok();
                rest
            }
            Part::Hour => set(&mut fields.hour, number(text, Pad::None, 0..=23, "hour")?),
            Part::Hour12(pad) => set(&mut fields.hour, number(text, pad, 0..=12, "hour")?),
            Part::Minute(pad) => set(&mut fields.minute, number(text, pad, 0..=59, "minute")?),
            Part::Second(pad) => {
                let (second, rest) = number(text, pad, 0..=59, "second")?;
                fields.second = second;
                let follows = matches!(next_part(after), ("", Some((Part::Fraction { .. }, _)), _));
                if follows { rest } else { set(&mut fields.nanos, fraction(rest, None)?) }
            }
            Part::UpperPm | Part::LowerPm => {
                let (am, pm) = if part == Part::UpperPm { ("AM", "PM") } else { ("am", "pm") };
                let pm_rest = text.strip_prefix(pm);
                fields.pm = Some(pm_rest.is_some());
                pm_rest.or_else(|| text.strip_prefix(am)).ok_or(Fault::Bad)?
            }
            Part::Fraction { digits, trim, .. } => {
                set(&mut fields.nanos, fraction(text, (!trim).then_some(digits))?)
            }
            Part::Zone | Part::Offset(_) => fields.take_zone(text, part)?,
        })
    }

    fn finish(self, local: &Arc<Zone>) -> Result<Time, FuncError> {
        let fields = &self.fields;
        let out_of_range = |what: &str| self.error(&format!(": {what} out of range"));
        let leap = fields.year % 4 == 0 && (fields.year % 100 != 0 || fields.year % 400 == 0);
        let days = if let Some(day) = fields.year_day {
            if day < 1 || day > 365 + u32::from(leap) {
                return Err(out_of_range("day-of-year"));
            }
            days_from_civil(fields.year, 1, 1) + i64::from(day) - 1
        } else {
            let (month, day) = (fields.month.unwrap_or(1), fields.day.unwrap_or(1));
            let first = days_from_civil(fields.year, month, 1);
            let (next_year, next) = if month == 12 { (fields.year + 1, 1) } else { (fields.year, month + 1) };
            if day < 1 || i64::from(day) > days_from_civil(next_year, next, 1) - first {
                return Err(out_of_range("day"));
            }
            first + i64::from(day) - 1
        };
        let hour = match fields.pm {
            Some(true) if fields.hour < 12 => fields.hour + 12,
            Some(false) if fields.hour == 12 => 0,
            _ => fields.hour,
        };
        let wall = days * 86_400 + i64::from(hour * 3600 + fields.minute * 60 + fields.second);
        Ok(placed(wall, fields, local))
    }
}

/// The time that clocks showed, in the zone that was read with it or else the local one.
fn placed(wall: i64, fields: &Fields, local: &Arc<Zone>) -> Time {
    let (nanos, name) = (fields.nanos, fields.zone.as_str());
    if fields.utc {
        return Time::utc(wall, nanos);
    }
    if let Some(offset) = fields.offset {
        let unix = wall - i64::from(offset);
        let (here, abbreviation) = local.at(unix);
        return if here == offset && (name.is_empty() || name == abbreviation) {
            Time::local(unix, nanos, local.clone())
        } else {
            Time::fixed(unix, nanos, offset, name)
        };
    }
    if name.is_empty() {
        return Time::local(local.moment(wall), nanos, local.clone());
    }
    if let Some(offset) = local.named(name, wall) {
        return Time::local(wall - i64::from(offset), nanos, local.clone());
    }
    // A name that nobody knows counts as UTC. GMT says how far it is, but Go reads the clock as UTC's all the same.
    let hours = name.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok()).unwrap_or(0);
    Time::fixed(wall, nanos, hours * 3600, name)
}

fn set<'t, T>(slot: &mut T, (value, rest): (T, &'t str)) -> &'t str {
    *slot = value;
    rest
}

/// Blanks of the layout stand for any number of blanks; the rest must be there as it is. Where it isn't, the error is
/// the text from there.
fn skip<'t>(mut text: &'t str, mut literal: &str) -> Result<&'t str, &'t str> {
    while let Some(first) = literal.chars().next() {
        if first == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return Err(text);
            }
            literal = literal.trim_start_matches(' ');
            text = text.trim_start_matches(' ');
        } else {
            text = text.strip_prefix(first).ok_or(text)?;
            literal = &literal[first.len_utf8()..];
        }
    }
    Ok(text)
}

fn digits(text: &str, least: usize, most: usize) -> Taken<'_, i64> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < least {
        return Err(Fault::Bad);
    }
    Ok((text[..count].parse().map_err(|_| Fault::Bad)?, &text[count..]))
}

fn number<'t>(
    text: &'t str,
    pad: Pad,
    range: std::ops::RangeInclusive<u32>,
    what: &'static str,
) -> Taken<'t, u32> {
    let (number, rest) = digits(text, if pad == Pad::Zero { 2 } else { 1 }, 2)?;
    let number = u32::try_from(number).map_err(|_| Fault::Bad)?;
    if range.contains(&number) { Ok((number, rest)) } else { Err(Fault::Range(what)) }
}

fn name<'t>(text: &'t str, names: &[&str], short: bool) -> Taken<'t, u32> {
    for (index, name) in names.iter().enumerate() {
        let name = if short { &name[..3] } else { name };
        if text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return Ok((u32::try_from(index).unwrap_or(0), &text[name.len()..]));
        }
    }
    Err(Fault::Bad)
}

/// A fraction of a second; `exact` digits, or as many as there are and possibly none.
fn fraction(text: &str, exact: Option<usize>) -> Taken<'_, u32> {
    let missing = if exact.is_some() { Err(Fault::Bad) } else { Ok((0, text)) };
    let Some(body) = text.strip_prefix(['.', ',']) else { return missing };
    let mut count = body.bytes().take_while(u8::is_ascii_digit).count();
    if let Some(exact) = exact {
        if count < exact {
            return Err(Fault::Bad);
        }
        count = exact;
    }
    if count == 0 {
        return missing;
    }
    let nanos = format!("{:0<9}", &body[..count.min(9)]).parse().map_err(|_| Fault::Bad)?;
    Ok((nanos, &body[count..]))
}

fn offset(text: &str, form: OffsetForm) -> Taken<'_, i32> {
    let sign = match text.bytes().next() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Err(Fault::Bad),
    };
    let mut rest = &text[1..];
    let mut total = 0;
    for (index, scale) in [3600, 60, 1].into_iter().take(usize::from(form.length)).enumerate() {
        if index > 0 && form.colon {
            rest = rest.strip_prefix(':').ok_or(Fault::Bad)?;
        }
        let (part, after) = digits(rest, 2, 2)?;
        let limit = if index == 0 { 24 } else { 60 };
        if part > limit {
            let what = ["time zone offset hour", "time zone offset minute", "time zone offset second"];
            return Err(Fault::Range(what[index]));
        }
        total += i32::try_from(part).unwrap_or(0) * scale;
        rest = after;
    }
    Ok((sign * total, rest))
}

/// Length of a zone's abbreviation: three to five capitals (`CEST`), `GMT+3`, or an offset where there is no name.
fn zone_length(text: &str) -> Option<usize> {
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + signed_length(rest).unwrap_or(0));
    }
    if text.len() >= 3 && text.starts_with(['+', '-']) {
        return signed_length(text);
    }
    let capitals = text.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    match capitals {
        5 if text[..5].ends_with('T') => Some(5),
        4 if text[..4].ends_with('T') || text.starts_with("WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

/// Length of a sign and at most 23 hours.
fn signed_length(text: &str) -> Option<usize> {
    let hours = text.strip_prefix(['+', '-'])?;
    let digits = hours.bytes().take_while(u8::is_ascii_digit).count();
    let known = hours[..digits].parse::<u64>().is_ok_and(|hours| hours <= 23);
    known.then_some(1 + digits)
}

#[cfg(test)]
mod tests {
    use super::{super::time::PRINTED, *};
    use crate::clock::zone::tests::{BERLIN, ruled};

    #[test]
    fn layouts_read_what_they_write() {
        for (layout, text, printed) in [
            ("2006-01-02", "2020-02-03", "2020-02-03 00:00:00 +0000 UTC"),
            ("2006-01-02T15:04:05Z07:00", "2020-02-03T04:05:06.5+02:00", "2020-02-03 04:05:06.5 +0200 +0200"),
            ("2006-01-02T15:04:05Z07:00", "2020-02-03T04:05:06Z", "2020-02-03 04:05:06 +0000 UTC"),
            ("Jan _2 06 3:04 PM", "feb  3 20 4:05 PM", "2020-02-03 16:05:00 +0000 UTC"),
            ("2006 002", "2020 060", "2020-02-29 00:00:00 +0000 UTC"),
            ("02 Jan 06 15:04 MST", "03 Feb 69 04:05 CEST", "1969-02-03 04:05:00 +0000 CEST"),
            ("15:04 MST", "04:05 GMT+3", "0000-01-01 07:05:00 +0300 GMT+3"),
            ("15:04 MST -0700", "04:05 UTC +0300", "0000-01-01 04:05:00 +0000 UTC"),
            ("15:04 MST", "04:05 +03", "0000-01-01 04:05:00 +0000 +03"),
            ("05.000", "06.070", "0000-01-01 00:00:06.07 +0000 UTC"),
        ] {
            let time = parse(layout, text, &Zone::utc())
                .unwrap_or_else(|error| panic!("{layout}: {}", error.go_text()));
            assert_eq!(time.format(PRINTED), printed, "{layout}");
        }
    }

    #[test]
    fn local_times_are_those_of_the_zone() {
        let berlin = Arc::new(ruled(BERLIN));
        for (layout, text, printed) in [
            ("2006-01-02", "2020-02-03", "2020-02-03 00:00:00 +0100 CET"),
            ("2006-01-02 15:04", "2020-07-03 12:00", "2020-07-03 12:00:00 +0200 CEST"),
            ("2006-01-02 15:04", "2020-03-29 02:30", "2020-03-29 03:30:00 +0200 CEST"),
            ("2006-01-02 15:04", "2020-10-25 02:30", "2020-10-25 02:30:00 +0100 CET"),
            ("2006-01-02 15:04Z07:00", "2020-07-03 12:00+02:00", "2020-07-03 12:00:00 +0200 CEST"),
            ("2006-01-02 15:04Z07:00", "2020-07-03 12:00+01:00", "2020-07-03 12:00:00 +0100 +0100"),
            ("2006-01-02 15:04Z07:00", "2020-07-03 12:00Z", "2020-07-03 12:00:00 +0000 UTC"),
        ] {
            let time = parse(layout, text, &berlin).unwrap_or_else(|error| panic!("{}", error.go_text()));
            assert_eq!(time.format(PRINTED), printed, "{text}");
        }
        let winter = parse("2006-01-02 15:04", "2020-02-29 12:00", &berlin).unwrap();
        assert_eq!(winter.plus_date(0, 6, 0).format(PRINTED), "2020-08-29 12:00:00 +0200 CEST");
        assert_eq!(
            winter.plus(180 * 86_400 * 1_000_000_000).format(PRINTED),
            "2020-08-27 13:00:00 +0200 CEST"
        );
    }

    #[test]
    fn errors_are_gos() {
        for (layout, text, words) in [
            ("2006", "bad", r#"parsing time "bad" as "2006": cannot parse "bad" as "2006""#),
            ("2006-01-02", "2020-13-01", r#"parsing time "2020-13-01": month out of range"#),
            ("2006-01-02", "2021-02-29", r#"parsing time "2021-02-29": day out of range"#),
            ("2006-01-02", "2020-02-03x", r#"parsing time "2020-02-03x": extra text: "x""#),
            (
                "2006-01-02",
                "2020/02/03",
                r#"parsing time "2020/02/03" as "2006-01-02": cannot parse "/02/03" as "-""#,
            ),
            ("15:04", "25:00", r#"parsing time "25:00": hour out of range"#),
        ] {
            assert_eq!(parse(layout, text, &Zone::utc()).unwrap_err().go_text(), words);
        }
        assert!(!format!("{:?}", parse("2006", "hunter2", &Zone::utc()).unwrap_err()).contains("hunter2"));
    }
}
