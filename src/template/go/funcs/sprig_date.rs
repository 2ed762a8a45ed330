//! Sprig's times and durations.

use std::rc::Rc;

use super::{Args, Func, FuncError, cast::to_int};
use crate::template::go::{
    ctx::Ctx,
    format::{
        duration,
        number::parse_int_clamped,
        time::{DAYS, MONTHS, PRINTED, Time},
        time_parse,
    },
    kind::Type,
    object::{Hidden, Object, StructType},
    quote,
    value::Value,
};

const ANY: &[Type] = &[Type::Any];
const LAYOUT: &[Type] = &[Type::String, Type::String];
static SHIFT: &[Type] = &[Type::String, Type::Struct(&TIME)];
static OTHER: &[Type] = &[Type::Struct(&TIME)];

pub(super) const FUNCS: &[Func] = &[
    Func::new(
        "sprig_toDate",
        LAYOUT,
        Type::Struct(&TIME),
        "a time in a Go layout, year 1 if it does not fit",
        |ctx, args| Ok(object(read(ctx, &args).unwrap_or_else(|_| Time::zero()))),
    ),
    Func::new("sprig_mustToDate", LAYOUT, Type::Struct(&TIME), "a time in a Go layout", |ctx, args| {
        read(ctx, &args).map(object)
    }),
    Func::new("sprig_mustDateModify", SHIFT, Type::Struct(&TIME), "a time moved by a duration", modify),
    Func::new("sprig_must_date_modify", SHIFT, Type::Struct(&TIME), "a time moved by a duration", modify),
    Func::new("sprig_unixEpoch", OTHER, Type::String, "seconds since 1970", |_, args| {
        Ok(Value::text(time(&args, 0).unix.to_string()))
    }),
    Func::new("sprig_ago", ANY, Type::String, "how long ago a time was", |ctx, args| {
        let now = Time::from_system(ctx.host.now());
        let then = match args.get(0) {
            Value::Object(object) => object.state::<Time>().cloned().unwrap_or_else(|| now.clone()),
            Value::Int(unix) | Value::Int64(unix) => Time::utc(*unix, 0),
            _ => now.clone(),
        };
        Ok(Value::text(duration::format(rounded(now.since(&then)))))
    }),
    Func::new("sprig_duration", ANY, Type::String, "seconds as a duration", |_, args| {
        let seconds = match args.get(0) {
            Value::String(text) => parse_int_clamped(text.as_bytes()),
            Value::Int64(seconds) => *seconds,
            _ => 0,
        };
        Ok(Value::text(duration::format(seconds.wrapping_mul(1_000_000_000))))
    }),
    Func::new("sprig_durationRound", ANY, Type::String, "the largest unit of a duration", |ctx, args| {
        let nanos = match args.get(0) {
            Value::String(text) => {
                text.as_str().and_then(|text| duration::parse(text).ok()).unwrap_or_default()
            }
            Value::Int64(nanos) => *nanos,
            Value::Object(object) => {
                object.state::<Time>().map_or(0, |time| Time::from_system(ctx.host.now()).since(time))
            }
            _ => 0,
        };
        Ok(Value::text(duration::largest_unit(nanos)))
    }),
];

static TIME: StructType = StructType {
    name: "time.Time",
    fields: &[],
    methods: METHODS,
    text: Some(|object| object.state::<Time>().map(|time| time.format(PRINTED)).unwrap_or_default().into()),
    inside: None,
    hidden: Some(hidden),
    syntax: Some(|object| object.state::<Time>().map(constructor).unwrap_or_default().into()),
};

/// Where a time is, for printing alone; what it points to is never shown.
static LOCATION: StructType = StructType {
    name: "time.Location",
    fields: &[],
    methods: &[],
    text: None,
    inside: None,
    hidden: None,
    syntax: None,
};

/// What Go's verbs for numbers show of a time: nanoseconds, and seconds since year 1.
fn hidden(object: &Object) -> Hidden {
    let (unix, nanos) = object.state::<Time>().map(|time| (time.unix, time.nanos)).unwrap_or_default();
    let since_year_1 = unix.saturating_add(62_135_596_800);
    vec![
        ("wall", Value::Uint64(u64::from(nanos))),
        ("ext", Value::Int64(since_year_1)),
        ("loc", Value::NilPointer(&LOCATION)),
    ]
}

static METHODS: &[Func] = &[
    Func::new("Format", &[Type::String], Type::String, "the time in a Go layout", |_, args| {
        Ok(Value::text(time(&args, 0).format(&args.lossy(1))))
    }),
    Func::new("String", &[], Type::String, "the time as Go prints it", |_, args| {
        Ok(Value::text(time(&args, 0).format(PRINTED)))
    }),
    Func::new("Unix", &[], Type::Int64, "seconds since 1970", |_, args| {
        Ok(Value::Int64(time(&args, 0).unix))
    }),
    Func::new("Year", &[], Type::Int, "the year", |_, args| Ok(Value::Int(time(&args, 0).civil().year))),
    Func::new("Month", &[], Type::String, "the month's name", |_, args| {
        let month = time(&args, 0).civil().month as usize;
        Ok(Value::text(MONTHS[(month + 11) % 12]))
    }),
    Func::new("Day", &[], Type::Int, "the day of the month", |_, args| number(time(&args, 0).civil().day)),
    Func::new("Hour", &[], Type::Int, "the hour", |_, args| number(time(&args, 0).civil().hour)),
    Func::new("Minute", &[], Type::Int, "the minute", |_, args| number(time(&args, 0).civil().minute)),
    Func::new("Second", &[], Type::Int, "the second", |_, args| number(time(&args, 0).civil().second)),
    Func::new("Nanosecond", &[], Type::Int, "nanoseconds within the second", |_, args| {
        number(time(&args, 0).nanos)
    }),
    Func::new("YearDay", &[], Type::Int, "the day of the year", |_, args| {
        number(time(&args, 0).civil().year_day)
    }),
    Func::new("Weekday", &[], Type::String, "the day of the week", |_, args| {
        Ok(Value::text(DAYS[time(&args, 0).civil().weekday as usize % 7]))
    }),
    Func::new("UTC", &[], Type::Struct(&TIME), "the same time in UTC", |_, args| {
        let time = time(&args, 0);
        Ok(object(Time::utc(time.unix, time.nanos)))
    }),
    Func::new("Local", &[], Type::Struct(&TIME), "the same time in the local zone", |ctx, args| {
        let time = time(&args, 0);
        Ok(object(Time::local(time.unix, time.nanos, ctx.host.zone())))
    }),
    Func::new("IsZero", &[], Type::Bool, "whether this is year 1", |_, args| {
        let (time, zero) = (time(&args, 0), Time::zero());
        Ok(Value::Bool(time.unix == zero.unix && time.nanos == 0))
    }),
    Func::new("Add", &[Type::Int64], Type::Struct(&TIME), "the time plus nanoseconds", |_, args| {
        Ok(object(time(&args, 0).plus(to_int(args.get(1)))))
    }),
    Func::new(
        "AddDate",
        &[Type::Int, Type::Int, Type::Int],
        Type::Struct(&TIME),
        "the time plus years, months and days",
        |_, args| Ok(object(time(&args, 0).plus_date(args.int(1), args.int(2), args.int(3)))),
    ),
    Func::new("Before", OTHER, Type::Bool, "whether a time is before another", |_, args| {
        Ok(Value::Bool(time(&args, 0).since(&time(&args, 1)) < 0))
    }),
    Func::new("After", OTHER, Type::Bool, "whether a time is after another", |_, args| {
        Ok(Value::Bool(time(&args, 0).since(&time(&args, 1)) > 0))
    }),
    Func::new("Equal", OTHER, Type::Bool, "whether two times are the same", |_, args| {
        Ok(Value::Bool(time(&args, 0).since(&time(&args, 1)) == 0))
    }),
];

fn object(time: Time) -> Value {
    Value::Object(Rc::new(Object {
        of: &TIME,
        pointer: false,
        fields: Vec::new(),
        state: Some(Rc::new(time)),
    }))
}

/// A time as the Go expression that makes it.
fn constructor(time: &Time) -> String {
    let civil = time.civil();
    let zone = match time.zone.as_str() {
        "UTC" if time.offset == 0 => "time.UTC".to_owned(),
        _ if time.place.is_some() => "time.Local".to_owned(),
        zone => format!("time.Location({})", quote::quote(zone.as_bytes())),
    };
    format!(
        "time.Date({}, time.{}, {}, {}, {}, {}, {}, {zone})",
        civil.year,
        MONTHS[(civil.month as usize + 11) % 12],
        civil.day,
        civil.hour,
        civil.minute,
        civil.second,
        time.nanos
    )
}

fn read(ctx: &mut Ctx<'_>, args: &Args) -> Result<Time, FuncError> {
    time_parse::parse(&args.lossy(0), &args.lossy(1), &ctx.host.zone())
}

/// The time of an argument; Go's zero time for what is none, which types rule out.
fn time(args: &Args, at: usize) -> Time {
    let found = match args.get(at) {
        Value::Object(object) => object.state::<Time>().cloned(),
        _ => None,
    };
    found.unwrap_or_else(Time::zero)
}

fn number(number: u32) -> Result<Value, FuncError> {
    Ok(Value::Int(i64::from(number)))
}

/// To whole seconds, half away from zero.
fn rounded(nanos: i64) -> i64 {
    const SECOND: i64 = 1_000_000_000;
    let half = if nanos < 0 { -SECOND / 2 } else { SECOND / 2 };
    nanos.saturating_add(half) / SECOND * SECOND
}

fn modify(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let shift = duration::parse(&args.lossy(0))
        .map_err(|error| FuncError::quoting(error.to_string(), "the text is no duration such as 1h30m"))?;
    Ok(object(time(&args, 1).plus(shift)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;

    fn date(text: &str) -> Value {
        call("sprig_toDate", vec![Value::text("2006-01-02"), Value::text(text)]).unwrap()
    }

    #[test]
    fn dates_are_read_moved_and_printed() {
        let printed = |value| text("sprig_toString", vec![value]);
        assert_eq!(printed(date("2020-02-03")), "2020-02-03 00:00:00 +0000 UTC");
        assert_eq!(printed(date("bad")), "0001-01-01 00:00:00 +0000 UTC");
        let moved = call("sprig_mustDateModify", vec![Value::text("-1.5h"), date("2020-02-03")]).unwrap();
        assert_eq!(printed(moved), "2020-02-02 22:30:00 +0000 UTC");
        assert_eq!(text("sprig_unixEpoch", vec![date("2020-02-03")]), "1580688000");
        assert_eq!(text("toJSON", vec![date("2020-02-03")]), "\"2020-02-03T00:00:00Z\"");
        assert_eq!(
            fails("sprig_mustToDate", vec![Value::text("2006"), Value::text("bad")]),
            "parsing time \"bad\" as \"2006\": cannot parse \"bad\" as \"2006\""
        );
        assert!(
            fails("sprig_mustDateModify", vec![Value::text("1d"), date("2020-02-03")])
                .contains("unknown unit")
        );
    }

    #[test]
    fn durations() {
        assert_eq!(text("sprig_ago", vec![date("2020-02-03")]), "4h5m6s");
        assert_eq!(
            text("sprig_ago", vec![Value::Int(i64::MIN)]),
            text("sprig_ago", vec![Value::Int(i64::MIN)])
        );
        assert_eq!(text("sprig_duration", vec![Value::text("95")]), "1m35s");
        assert_eq!(text("sprig_duration", vec![Value::Int(95)]), "0s");
        assert_eq!(text("sprig_durationRound", vec![Value::text("2h10m5s")]), "2h");
        assert_eq!(text("sprig_durationRound", vec![date("2019-11-03")]), "3mo");
        assert_eq!(text("sprig_durationRound", vec![Value::text("bad")]), "0s");
    }
}
