//! Points in time and Go's layouts (`2006-01-02 15:04:05`), as documented under `time.Layout`.
//!
//! A time is shown in UTC, at a fixed offset, or in the local zone.

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::clock::zone::Zone;

/// A point in time with the offset that it is shown in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970-01-01 UTC.
    pub unix: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
    /// Seconds east of UTC.
    pub offset: i32,
    /// Abbreviation of the zone; empty for a bare offset.
    pub zone: String,
    /// Where it is shown, if that is the local zone.
    pub place: Option<Arc<Zone>>,
}

/// Calendar fields of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: u32,
    /// Day of the month, from 1.
    pub day: u32,
    /// Hour.
    pub hour: u32,
    /// Minute.
    pub minute: u32,
    /// Second.
    pub second: u32,
    /// Day of the week, 0 is Sunday.
    pub weekday: u32,
    /// Day of the year, from 1.
    pub year_day: u32,
}

/// Names of months.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Names of weekdays.
pub const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const DAY: i64 = 86_400;
/// Go prints times with it.
pub const PRINTED: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    // Years are counted from March, so that the leap day is the last one; 400 years have 146 097 days.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let month = i64::from(month);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month + 2) / 5 + 1) as u32;
    let month = (if month < 10 { month + 3 } else { month - 9 }) as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl Time {
    /// Year 1, January 1, 00:00 UTC: Go's zero time.
    pub fn zero() -> Self {
        Self::utc(-62_135_596_800, 0)
    }

    /// A time shown in UTC.
    pub fn utc(unix: i64, nanos: u32) -> Self {
        Self::fixed(unix, nanos, 0, "UTC")
    }

    /// A time shown at an offset that has a name, possibly none.
    pub fn fixed(unix: i64, nanos: u32, offset: i32, zone: &str) -> Self {
        Self { unix, nanos, offset, zone: zone.to_owned(), place: None }
    }

    /// A time shown in the local zone.
    pub fn local(unix: i64, nanos: u32, place: Arc<Zone>) -> Self {
        let (offset, zone) = place.at(unix);
        Self { unix, nanos, offset, zone: zone.to_owned(), place: Some(place) }
    }

    /// Another moment, shown in the same place.
    fn moved(&self, unix: i64, nanos: u32) -> Self {
        match &self.place {
            Some(place) => Self::local(unix, nanos, place.clone()),
            None => Self { unix, nanos, ..self.clone() },
        }
    }

    /// The time of the clock, in UTC.
    pub fn from_system(now: SystemTime) -> Self {
        match now.duration_since(UNIX_EPOCH) {
            Ok(since) => Self::utc(since.as_secs().try_into().unwrap_or(i64::MAX / 4), since.subsec_nanos()),
            Err(_) => Self::utc(0, 0),
        }
    }

    /// Calendar fields at its offset.
    pub fn civil(&self) -> Civil {
        // Absurd times are shown as the farthest year instead of overflowing.
        let local = self.unix.clamp(-(1 << 55), 1 << 55) + i64::from(self.offset);
        let (days, seconds) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (year, month, day) = civil_from_days(days);
        Civil {
            year,
            month,
            day,
            hour: (seconds / 3600) as u32,
            minute: (seconds / 60 % 60) as u32,
            second: (seconds % 60) as u32,
            weekday: (days + 4).rem_euclid(7) as u32,
            year_day: (days - days_from_civil(year, 1, 1) + 1) as u32,
        }
    }

    /// This time plus a number of nanoseconds.
    #[must_use]
    pub fn plus(&self, nanos: i64) -> Self {
        let total = i128::from(self.unix) * 1_000_000_000 + i128::from(self.nanos) + i128::from(nanos);
        let (unix, nanos) = (total.div_euclid(1_000_000_000), total.rem_euclid(1_000_000_000));
        let unix = unix.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
        self.moved(unix, nanos as u32)
    }

    /// This date plus years, months and days, normalised as Go does (February 30 becomes March 2).
    #[must_use]
    pub fn plus_date(&self, years: i64, months: i64, days: i64) -> Self {
        let bound = |n: i64| n.clamp(-1_000_000, 1_000_000);
        let civil = self.civil();
        let month = bound(months) + i64::from(civil.month) - 1;
        let year = civil.year.saturating_add(bound(years)) + month.div_euclid(12);
        let first = days_from_civil(year, month.rem_euclid(12) as u32 + 1, 1);
        let day = first + i64::from(civil.day) - 1 + bound(days);
        let clock = i64::from(civil.hour * 3600 + civil.minute * 60 + civil.second);
        let wall = day * DAY + clock;
        let unix = self.place.as_ref().map_or(wall - i64::from(self.offset), |place| place.moment(wall));
        self.moved(unix, self.nanos)
    }

    /// Nanoseconds from `earlier` to this time, bounded by what a Go duration holds.
    pub fn since(&self, earlier: &Self) -> i64 {
        let nanos = |time: &Self| i128::from(time.unix) * 1_000_000_000 + i128::from(time.nanos);
        (nanos(self) - nanos(earlier)).clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// The time in a Go layout.
    pub fn format(&self, layout: &str) -> String {
        let civil = self.civil();
        let mut out = String::new();
        let mut rest = layout;
        loop {
            let (before, part, after) = next_part(rest);
            out.push_str(before);
            let Some((part, _)) = part else { return out };
            self.write_part(part, &civil, &mut out);
            rest = after;
        }
    }

    fn write_part(&self, part: Part, civil: &Civil, out: &mut String) {
        let hour12 = (civil.hour + 11) % 12 + 1;
        // Writing to a String cannot fail.
        let _ = match part {
            Part::LongYear if civil.year < 0 => write!(out, "-{:04}", -civil.year),
            Part::LongYear => write!(out, "{:04}", civil.year),
            Part::Year => write!(out, "{:02}", civil.year.rem_euclid(100)),
            Part::LongMonth => out.write_str(MONTHS[(civil.month as usize + 11) % 12]),
            Part::MonthName => out.write_str(&MONTHS[(civil.month as usize + 11) % 12][..3]),
            Part::Month(pad) => pad.write(out, civil.month, 2),
            Part::LongWeekday => out.write_str(DAYS[civil.weekday as usize % 7]),
            Part::Weekday => out.write_str(&DAYS[civil.weekday as usize % 7][..3]),
            Part::Day(pad) => pad.write(out, civil.day, 2),
            Part::YearDay(pad) => pad.write(out, civil.year_day, 3),
            Part::Hour => write!(out, "{:02}", civil.hour),
            Part::Hour12(pad) => pad.write(out, hour12, 2),
            Part::Minute(pad) => pad.write(out, civil.minute, 2),
            Part::Second(pad) => pad.write(out, civil.second, 2),
            Part::UpperPm => out.write_str(if civil.hour >= 12 { "PM" } else { "AM" }),
            Part::LowerPm => out.write_str(if civil.hour >= 12 { "pm" } else { "am" }),
            Part::Fraction { separator, digits, trim } => {
                let text = format!("{:09}", self.nanos);
                let text = &text[..digits.min(9)];
                let text = if trim { text.trim_end_matches('0') } else { text };
                if text.is_empty() { Ok(()) } else { write!(out, "{separator}{text}") }
            }
            Part::Zone if !self.zone.is_empty() => out.write_str(&self.zone),
            Part::Zone => self.write_offset(OffsetForm { z: false, colon: false, length: 2 }, out),
            Part::Offset(form) => self.write_offset(form, out),
        };
    }

    fn write_offset(&self, form: OffsetForm, out: &mut String) -> std::fmt::Result {
        if form.z && self.offset == 0 {
            return out.write_str("Z");
        }
        let sign = if self.offset < 0 { '-' } else { '+' };
        let size = self.offset.unsigned_abs();
        let colon = if form.colon { ":" } else { "" };
        write!(out, "{sign}{:02}", size / 3600)?;
        if form.length > 1 {
            write!(out, "{colon}{:02}", size / 60 % 60)?;
        }
        if form.length > 2 {
            write!(out, "{colon}{:02}", size % 60)?;
        }
        Ok(())
    }
}

/// RFC 3339 with as many digits of the fraction as needed.
pub fn rfc3339_nano(time: &Time) -> String {
    time.format("2006-01-02T15:04:05.999999999Z07:00")
}

/// How a number is filled up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pad {
    None,
    Zero,
    Blank,
}

impl Pad {
    fn write(self, out: &mut String, number: u32, width: usize) -> std::fmt::Result {
        match self {
            Self::None => write!(out, "{number}"),
            Self::Zero => write!(out, "{number:0width$}"),
            Self::Blank => write!(out, "{number:width$}"),
        }
    }
}

/// How an offset is written: with `Z` for zero, with colons, and hours, minutes, seconds (1, 2, 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OffsetForm {
    pub(super) z: bool,
    pub(super) colon: bool,
    pub(super) length: u8,
}

/// One element of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    LongYear,
    Year,
    LongMonth,
    MonthName,
    Month(Pad),
    LongWeekday,
    Weekday,
    Day(Pad),
    YearDay(Pad),
    Hour,
    Hour12(Pad),
    Minute(Pad),
    Second(Pad),
    UpperPm,
    LowerPm,
    Fraction { separator: char, digits: usize, trim: bool },
    Zone,
    Offset(OffsetForm),
}

/// Elements by their text, longest first where one begins with another.
const PARTS: &[(&str, Part)] = &[
    ("January", Part::LongMonth),
    ("Jan", Part::MonthName),
    ("Monday", Part::LongWeekday),
    ("Mon", Part::Weekday),
    ("MST", Part::Zone),
    ("002", Part::YearDay(Pad::Zero)),
    ("01", Part::Month(Pad::Zero)),
    ("02", Part::Day(Pad::Zero)),
    ("03", Part::Hour12(Pad::Zero)),
    ("04", Part::Minute(Pad::Zero)),
    ("05", Part::Second(Pad::Zero)),
    ("06", Part::Year),
    ("15", Part::Hour),
    ("1", Part::Month(Pad::None)),
    ("2006", Part::LongYear),
    ("2", Part::Day(Pad::None)),
    ("__2", Part::YearDay(Pad::Blank)),
    ("_2", Part::Day(Pad::Blank)),
    ("3", Part::Hour12(Pad::None)),
    ("4", Part::Minute(Pad::None)),
    ("5", Part::Second(Pad::None)),
    ("PM", Part::UpperPm),
    ("pm", Part::LowerPm),
    ("-070000", Part::Offset(OffsetForm { z: false, colon: false, length: 3 })),
    ("-07:00:00", Part::Offset(OffsetForm { z: false, colon: true, length: 3 })),
    ("-0700", Part::Offset(OffsetForm { z: false, colon: false, length: 2 })),
    ("-07:00", Part::Offset(OffsetForm { z: false, colon: true, length: 2 })),
    ("-07", Part::Offset(OffsetForm { z: false, colon: false, length: 1 })),
    ("Z070000", Part::Offset(OffsetForm { z: true, colon: false, length: 3 })),
    ("Z07:00:00", Part::Offset(OffsetForm { z: true, colon: true, length: 3 })),
    ("Z0700", Part::Offset(OffsetForm { z: true, colon: false, length: 2 })),
    ("Z07:00", Part::Offset(OffsetForm { z: true, colon: true, length: 2 })),
    ("Z07", Part::Offset(OffsetForm { z: true, colon: false, length: 1 })),
];

/// Literal text, the first element with its text, and the rest of the layout.
pub(super) fn next_part(layout: &str) -> (&str, Option<(Part, &str)>, &str) {
    for (at, _) in layout.char_indices() {
        let rest = &layout[at..];
        if rest.starts_with("_2006") {
            continue;
        }
        if let Some((part, length)) = part_at(rest) {
            return (&layout[..at], Some((part, &rest[..length])), &rest[length..]);
        }
    }
    (layout, None, "")
}

fn part_at(rest: &str) -> Option<(Part, usize)> {
    if let Some(fraction) = fraction_at(rest) {
        return Some(fraction);
    }
    let (text, part) = PARTS.iter().find(|(text, part)| {
        let named = matches!(part, Part::MonthName | Part::Weekday);
        rest.strip_prefix(text)
            .is_some_and(|after| !named || !after.starts_with(|c: char| c.is_ascii_lowercase()))
    })?;
    Some((*part, text.len()))
}

/// `.000` or `,999`, not followed by another digit.
fn fraction_at(rest: &str) -> Option<(Part, usize)> {
    let separator = rest.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let digit = rest[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let digits = rest[1..].chars().take_while(|c| *c == digit).count();
    if rest[1 + digits..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some((Part::Fraction { separator, digits, trim: digit == '9' }, 1 + digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_follow_go() {
        let time = Time::fixed(1_580_745_906, 70_800_000, -3600 * 7, "");
        for (layout, text) in [
            ("2006-01-02T15:04:05Z07:00", "2020-02-03T09:05:06-07:00"),
            ("Mon Monday Jan January 1 01 2 _2 02", "Mon Monday Feb February 2 02 3  3 03"),
            ("002 __2 06 3 03 4 04 5 05 PM pm", "034  34 20 9 09 5 05 6 06 AM am"),
            ("05.000 05,999999 05.0", "06.070 06,0708 06.0"),
            ("MST -07 -0700 Z0700 -07:00:00 -070000", "-0700 -07 -0700 -0700 -07:00:00 -070000"),
            ("UTC Month Janx _2006 2x é", "UTC Month Janx _2020 3x é"),
            ("", ""),
        ] {
            assert_eq!(time.format(layout), text, "{layout}");
        }
        let utc = Time::utc(0, 0);
        assert_eq!(utc.format("Z07:00 Z0700 MST 15:04:05.999"), "Z Z UTC 00:00:00");
        assert_eq!(utc.format(PRINTED), "1970-01-01 00:00:00 +0000 UTC");
        assert_eq!(Time::zero().format(PRINTED), "0001-01-01 00:00:00 +0000 UTC");
    }

    #[test]
    fn calendars_are_right_far_away() {
        for (year, month, day, days) in [
            (1970, 1, 1, 0),
            (2000, 2, 29, 11_016),
            (1969, 12, 31, -1),
            (1, 1, 1, -719_162),
            (2400, 3, 1, 157_114),
        ] {
            assert_eq!(days_from_civil(year, month, day), days);
            assert_eq!(civil_from_days(days), (year, month, day));
        }
        assert_eq!(Time::utc(951_827_696, 0).civil().year_day, 60);
        for unix in [i64::MIN, i64::MAX] {
            assert!(!Time::utc(unix, 0).format(PRINTED).is_empty());
            let _ = Time::utc(unix, 0)
                .plus(i64::MAX)
                .plus_date(i64::MAX, i64::MIN, i64::MAX)
                .since(&Time::zero());
        }
    }

    #[test]
    fn dates_are_normalised() {
        let leap = Time::utc(951_782_400, 0);
        assert_eq!(leap.plus_date(1, 0, 0).format("2006-01-02"), "2001-03-01");
        assert_eq!(leap.plus_date(0, -14, 1).format("2006-01-02"), "1998-12-30");
        assert_eq!(leap.plus(-1).format(PRINTED), "2000-02-28 23:59:59.999999999 +0000 UTC");
    }
}
