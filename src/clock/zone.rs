//! The local time zone, looked for where Go programs look: `TZ`, then `/etc/localtime`, in the system's own files.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use tz::TimeZone;

/// Folders of zone files, in Go's order.
const FOLDERS: &[&str] =
    &["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo"];

/// Stands for the zone of a machine that says nothing else.
const LOCAL: &str = "/etc/localtime";

/// A zone file has some kilobytes.
const LARGEST: u64 = 1 << 20;

/// Offsets and their abbreviations through the years; without rules it is UTC.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Zone {
    rules: Option<TimeZone>,
}

/// `TZ` names a zone of which this machine has no file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no file of the time zone {0:?} in {folders}", folders = FOLDERS.join(", "))]
pub struct UnknownZone(String);

impl Zone {
    /// UTC.
    pub fn utc() -> Arc<Self> {
        Arc::default()
    }

    /// The zone of this machine, as `tz`, the value of `TZ`, has it.
    ///
    /// # Errors
    /// `tz` names a zone without a file. Go takes UTC then.
    pub fn local(tz: Option<&str>) -> Result<Arc<Self>, UnknownZone> {
        let Some(name) = tz else { return Ok(Arc::new(read(Path::new(LOCAL)).unwrap_or_default())) };
        let name = name.strip_prefix(':').unwrap_or(name);
        if name.is_empty() || name == "UTC" {
            return Ok(Self::utc());
        }
        // An absolute name replaces the folder.
        let found = FOLDERS.iter().find_map(|folder| read(&PathBuf::from(folder).join(name)));
        found.map(Arc::new).ok_or_else(|| UnknownZone(name.to_owned()))
    }

    /// A zone from the contents of its file (RFC 8536).
    pub fn from_file(contents: &[u8]) -> Option<Self> {
        TimeZone::from_tz_data(contents).ok().map(|rules| Self { rules: Some(rules) })
    }

    /// Seconds east of UTC at a moment, and the abbreviation of that.
    pub fn at(&self, unix: i64) -> (i32, &str) {
        let Some(rules) = &self.rules else { return (0, "UTC") };
        let zone = rules.as_ref();
        let kind = zone.find_local_time_type(unix).ok().or_else(|| {
            // Without a rule for the time after it, the last change holds on.
            let last = zone.transitions().last().map_or(0, |last| last.local_time_type_index());
            zone.local_time_types().get(last)
        });
        kind.map_or((0, "UTC"), |kind| (kind.ut_offset(), kind.time_zone_designation()))
    }

    /// The moment at which clocks of this zone show what clocks in UTC show at `wall`. In a gap or an overlap it is the
    /// one that Go takes.
    pub fn moment(&self, wall: i64) -> i64 {
        let (guess, _) = self.at(wall);
        if guess == 0 {
            return wall;
        }
        wall - i64::from(self.at(wall - i64::from(guess)).0)
    }

    /// The offset that an abbreviation stands for; that of `wall` when it was in use then.
    pub fn named(&self, abbreviation: &str, wall: i64) -> Option<i32> {
        let zone = self.rules.as_ref()?.as_ref();
        let named = || {
            let kinds = zone.local_time_types().iter();
            kinds.filter(|kind| kind.time_zone_designation() == abbreviation).map(|kind| kind.ut_offset())
        };
        named()
            .find(|offset| self.at(wall - i64::from(*offset)).1 == abbreviation)
            .map_or_else(|| named().next(), |offset| Some(self.at(wall - i64::from(offset)).0))
    }
}

fn read(path: &Path) -> Option<Zone> {
    // A pipe in that place would stop the one thread.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut contents = Vec::new();
    File::open(path).ok()?.take(LARGEST).read_to_end(&mut contents).ok()?;
    Zone::from_file(&contents)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A file with nothing but a rule, as RFC 8536 allows.
    pub(crate) fn ruled(rule: &str) -> Zone {
        // Counts of version 1 and of version 2: one kind of time with four letters of abbreviation, no changes.
        let head =
            |version: u8| [b"TZif", [version].as_slice(), &[0; 15 + 16], &[0, 0, 0, 1, 0, 0, 0, 4]].concat();
        let kind = b"\0\0\0\0\0\0UTC\0";
        let file = [&head(b'2'), kind.as_slice(), &head(b'2'), kind, b"\n", rule.as_bytes(), b"\n"].concat();
        Zone::from_file(&file).unwrap()
    }

    /// Of central Europe today.
    pub(crate) const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    #[test]
    fn offsets_follow_the_rule() {
        let zone = ruled(BERLIN);
        // 2020-03-29 at 01:00 UTC.
        let change = 1_585_443_600;
        assert_eq!(zone.at(change - 1), (3600, "CET"));
        assert_eq!(zone.at(change), (7200, "CEST"));
        // 02:30, which no clock showed that night, is 03:30 as in Go.
        assert_eq!(zone.moment(change + 3600 + 1800), change + 1800);
        assert_eq!(zone.moment(1_577_836_800), 1_577_833_200);
        assert_eq!(Zone::utc().at(change), (0, "UTC"));
        assert_eq!(Zone::utc().moment(change), change);
        assert_eq!(Zone::utc().named("CET", change), None);
    }

    #[test]
    fn what_is_no_zone_file_is_none() {
        for bytes in [b"".as_slice(), b"TZif", b"TZif2\0\0\0", &[0xff; 80]] {
            assert_eq!(Zone::from_file(bytes), None);
        }
    }

    #[test]
    fn tz_says_where_to_look() {
        for utc in ["", ":", "UTC", ":UTC"] {
            assert_eq!(Zone::local(Some(utc)), Ok(Zone::utc()));
        }
        for unknown in ["No/Where", ":No/Where", "/dev/null", "/no/such/file"] {
            let error = Zone::local(Some(unknown)).unwrap_err();
            assert!(error.to_string().contains(unknown.trim_start_matches(':')), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("zone");
        std::io::Write::write_all(&mut File::create(&file).unwrap(), b"TZif").unwrap();
        assert!(Zone::local(file.to_str()).is_err());
    }
}
