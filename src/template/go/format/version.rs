//! Semantic versions and constraints as Masterminds' library reads them: `v1.2`, `^1.2 || ~2.x`, `1.0 - 2.0`.

use std::{cmp::Ordering, fmt};

use semver::{BuildMetadata, Prerelease};

/// Text that is no version or no constraint.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VersionError {
    /// Not a version.
    #[error("Invalid Semantic Version")]
    Invalid,
    /// A number that does not fit 64 bits.
    #[error("Error parsing version segment: strconv.ParseUint: parsing {0:?}: value out of range")]
    TooBig(String),
    /// A number in the pre-release part begins with 0.
    #[error("Version segment starts with 0")]
    LeadingZero,
    /// Not a constraint; the text.
    #[error("improper constraint: {0}")]
    Constraint(String),
    /// A constraint whose version does not fit.
    #[error("constraint Parser Error")]
    ConstraintVersion,
}

/// A version: the parts, and the text it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The parts.
    pub parts: semver::Version,
    /// What was parsed.
    pub original: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.fmt(f)
    }
}

/// A version as written: numbers as text, parts that may be left out.
#[derive(Clone, Copy, Debug, Default)]
struct Raw<'t> {
    major: &'t str,
    minor: Option<&'t str>,
    patch: Option<&'t str>,
    pre: &'t str,
    build: &'t str,
}

impl Version {
    /// Reads a version; a leading `v` and missing minor and patch are allowed.
    ///
    /// # Errors
    /// [`VersionError::Invalid`] or [`VersionError::LeadingZero`].
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let digits = |c: char| c.is_ascii_digit();
        let (raw, rest) = Raw::read(text, digits).ok_or(VersionError::Invalid)?;
        if !rest.is_empty() {
            return Err(VersionError::Invalid);
        }
        let number = |part: &str| part.parse::<u64>().map_err(|_| VersionError::TooBig(part.to_owned()));
        if raw
            .pre
            .split('.')
            .any(|part| part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(VersionError::LeadingZero);
        }
        let mut parts = semver::Version::new(
            number(raw.major)?,
            number(raw.minor.unwrap_or("0"))?,
            number(raw.patch.unwrap_or("0"))?,
        );
        parts.pre = Prerelease::new(raw.pre).map_err(|_| VersionError::Invalid)?;
        parts.build = BuildMetadata::new(raw.build).map_err(|_| VersionError::Invalid)?;
        Ok(Self { parts, original: text.to_owned() })
    }

    /// Order by precedence; build metadata does not count.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.parts.cmp_precedence(&other.parts)
    }

    /// The next version: `part` 0 is major, 1 minor, 2 patch (which only drops the pre-release when there is one).
    pub fn increased(&self, part: usize) -> Self {
        let old = &self.parts;
        let up = |n: u64| n.saturating_add(1);
        let parts = match part {
            0 => semver::Version::new(up(old.major), 0, 0),
            1 => semver::Version::new(old.major, up(old.minor), 0),
            _ if !old.pre.is_empty() => semver::Version::new(old.major, old.minor, old.patch),
            _ => semver::Version::new(old.major, old.minor, up(old.patch)),
        };
        let prefix = if self.original.starts_with('v') { "v" } else { "" };
        Self { original: format!("{prefix}{parts}"), parts }
    }
}

impl<'t> Raw<'t> {
    /// A version at the start of `text`, and the rest.
    fn read(text: &'t str, digit: impl Fn(char) -> bool) -> Option<(Self, &'t str)> {
        let run = |text: &'t str| text.split_at(text.find(|c| !digit(c)).unwrap_or(text.len()));
        let dotted = |text: &'t str| match text.strip_prefix('.').map(run) {
            Some((part, rest)) if !part.is_empty() => (Some(part), rest),
            _ => (None, text),
        };
        let (major, rest) = run(text.strip_prefix('v').unwrap_or(text));
        if major.is_empty() {
            return None;
        }
        let (minor, rest) = dotted(rest);
        let (patch, rest) = if minor.is_some() { dotted(rest) } else { (None, rest) };
        let (pre, rest) = identifiers(rest, '-');
        let (build, rest) = identifiers(rest, '+');
        Some((Self { major, minor, patch, pre, build }, rest))
    }
}

/// Dotted identifiers after `mark`; empty when there are none.
fn identifiers(text: &str, mark: char) -> (&str, &str) {
    let Some(body) = text.strip_prefix(mark) else { return ("", text) };
    let end = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.').unwrap_or(body.len());
    let mut taken = &body[..end];
    // A dot counts only between identifiers.
    if let Some(at) = taken.find("..") {
        taken = &taken[..at];
    }
    let taken = taken.strip_suffix('.').unwrap_or(taken);
    if taken.is_empty() || taken.starts_with('.') { ("", text) } else { (taken, &body[taken.len()..]) }
}

/// What a version must satisfy: all of one of the groups.
#[derive(Clone, Debug)]
pub struct Constraints(Vec<Vec<Constraint>>);

#[derive(Clone, Debug)]
struct Constraint {
    operator: &'static str,
    version: Version,
    /// Some part was left out or `x`.
    open: bool,
    open_minor: bool,
    open_patch: bool,
}

/// Longest first, so that the first match is the right one.
const OPERATORS: &[&str] = &["!=", ">=", "=>", "<=", "=<", "~>", "=", ">", "<", "~", "^"];

impl Constraints {
    /// Reads groups separated by `||` of constraints separated by commas or blanks.
    ///
    /// # Errors
    /// [`VersionError::Constraint`] with the group that is not understood.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        text.split("||").map(group).collect::<Result<_, _>>().map(Self)
    }

    /// Whether `version` satisfies one group. Pre-releases satisfy only constraints that name one.
    pub fn allow(&self, version: &Version) -> bool {
        self.0.iter().any(|group| group.iter().all(|constraint| constraint.allows(version)))
    }
}

fn group(text: &str) -> Result<Vec<Constraint>, VersionError> {
    let improper = || VersionError::Constraint(text.to_owned());
    let mut constraints = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (operator, after) = OPERATORS
            .iter()
            .find_map(|operator| rest.strip_prefix(operator).map(|after| (*operator, after)))
            .unwrap_or(("", rest));
        // The original's class of characters has a bar in it.
        let digit = |c: char| c.is_ascii_digit() || matches!(c, 'x' | 'X' | '*' | '|');
        let (raw, after) = Raw::read(after.trim_start(), digit).ok_or_else(improper)?;
        let trimmed = after.trim_start();
        let range = trimmed.strip_prefix('-').filter(|end| {
            operator.is_empty() && trimmed.len() < after.len() && end.starts_with(char::is_whitespace)
        });
        let is_range = range.is_some();
        if let Some(end) = range {
            let (high, after) = Raw::read(end.trim_start(), digit).ok_or_else(improper)?;
            constraints.push(Constraint::new(">=", raw)?);
            constraints.push(Constraint::new("<=", high)?);
            rest = after;
        } else {
            constraints.push(Constraint::new(operator, raw)?);
            rest = after;
        }
        let trimmed = rest.trim_start();
        if trimmed.is_empty() {
            return Ok(constraints);
        }
        rest = match trimmed.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if trimmed.len() < rest.len() || is_range => trimmed,
            None => return Err(improper()),
        };
    }
}

fn is_open(part: Option<&str>) -> bool {
    matches!(part, None | Some("x" | "X" | "*"))
}

impl Constraint {
    fn new(operator: &'static str, raw: Raw<'_>) -> Result<Self, VersionError> {
        let minor_open = is_open(raw.minor);
        let (open, open_minor, open_patch, text) = if is_open(Some(raw.major)) {
            (true, false, false, "0.0.0".to_owned())
        } else if minor_open {
            (true, true, false, format!("{}.0.0", raw.major))
        } else if is_open(raw.patch) {
            (true, false, true, format!("{}.{}.0", raw.major, raw.minor.unwrap_or("0")))
        } else {
            let numbers = [raw.major, raw.minor.unwrap_or("0"), raw.patch.unwrap_or("0")];
            (false, false, false, numbers.join("."))
        };
        let text = if raw.pre.is_empty() { text } else { format!("{text}-{}", raw.pre) };
        let version = Version::parse(&text).map_err(|_| VersionError::ConstraintVersion)?;
        Ok(Self { operator, version, open, open_minor, open_patch })
    }

    fn allows(&self, version: &Version) -> bool {
        let (own, other) = (&self.version.parts, &version.parts);
        let order = version.compare(&self.version);
        let hidden = !other.pre.is_empty() && own.pre.is_empty();
        match self.operator {
            "!=" => !(self.open && hidden) && self.differs(version),
            _ if hidden => false,
            ">" if self.open && self.open_minor => other.major > own.major,
            ">" if self.open && self.open_patch => (other.major, other.minor) > (own.major, own.minor),
            ">" => order == Ordering::Greater,
            "<" => order == Ordering::Less,
            ">=" | "=>" => order != Ordering::Less,
            "<=" | "=<" if self.open => {
                other.major < own.major
                    || (other.major == own.major && (other.minor <= own.minor || self.open_minor))
            }
            "<=" | "=<" => order != Ordering::Greater,
            "^" => order != Ordering::Less && self.caret(version),
            "" | "=" if !self.open => order == Ordering::Equal,
            _ => order != Ordering::Less && self.tilde(version),
        }
    }

    fn differs(&self, version: &Version) -> bool {
        let (own, other) = (&self.version.parts, &version.parts);
        if self.open {
            if own.major != other.major || (own.minor != other.minor && !self.open_minor) {
                return true;
            }
            if self.open_minor {
                return false;
            }
            if self.open_patch {
                return own.pre != other.pre;
            }
            if own.patch != other.patch {
                return true;
            }
        }
        version.compare(&self.version) != Ordering::Equal
    }

    fn tilde(&self, version: &Version) -> bool {
        let (own, other) = (&self.version.parts, &version.parts);
        let zero = own.major == 0 && own.minor == 0 && own.patch == 0;
        if zero && !self.open_minor && !self.open_patch {
            return true;
        }
        own.major == other.major && (own.minor == other.minor || self.open_minor)
    }

    fn caret(&self, version: &Version) -> bool {
        let (own, other) = (&self.version.parts, &version.parts);
        if own.major > 0 || self.open_minor || other.major > 0 {
            return own.major == other.major;
        }
        if own.minor > 0 || self.open_patch || other.minor > 0 {
            return own.minor == other.minor;
        }
        own.patch == other.patch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(constraint: &str, version: &str) -> bool {
        Constraints::parse(constraint).unwrap().allow(&Version::parse(version).unwrap())
    }

    #[test]
    fn versions_are_read_loosely() {
        for (text, printed) in
            [("1.2.3-rc.1+b", "1.2.3-rc.1+b"), ("v1.2", "1.2.0"), ("01", "1.0.0"), ("1.2-a", "1.2.0-a")]
        {
            assert_eq!(Version::parse(text).unwrap().to_string(), printed);
        }
        for text in ["x", "", "1.2.3.4", "1..2", "1.2.3-", "1.2.3-a..b"] {
            assert_eq!(Version::parse(text), Err(VersionError::Invalid), "{text}");
        }
        assert!(matches!(Version::parse("99999999999999999999"), Err(VersionError::TooBig(_))));
        assert_eq!(Version::parse("1.2.3-01"), Err(VersionError::LeadingZero));
        assert_eq!(Version::parse("1.2.3-a").unwrap().increased(2).to_string(), "1.2.3");
        assert_eq!(Version::parse("v1.2.3").unwrap().increased(1).original, "v1.3.0");
    }

    #[test]
    fn constraints_mean_what_masterminds_means() {
        for (constraint, version, expected) in [
            ("^1.2.0", "1.4.0", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.4", false),
            ("^0.0", "0.0.9", true),
            ("^0", "0.9.0", true),
            (">=1.0, <2", "2.0.0", false),
            (">=1.0 <2", "1.9.0", true),
            ("~1.2", "1.2.9", true),
            ("~1", "1.9.0", true),
            ("~>1.2.3", "1.3.0", false),
            ("1.x", "1.9.9", true),
            ("*", "3.0.0", true),
            (">1", "1.5.0", false),
            (">1.2", "1.3.0", true),
            ("<=1.2", "1.2.9", true),
            ("!=1.2", "1.2.9", false),
            ("!=1.2", "1.3.0", true),
            ("1.0 - 2.0", "2.0.5", true),
            ("1.0 - 2.0", "2.1.0", false),
            (">3 || <1", "0.5.0", true),
            (">=1.0", "1.5.0-beta", false),
            (">=1.0-0", "1.5.0-beta", true),
            ("=1.2.3", "1.2.3+meta", true),
        ] {
            assert_eq!(allowed(constraint, version), expected, "{constraint} {version}");
        }
        for text in ["", "a", ">", "1.0 ? 2", "1.2.3.4", ">=1.0,,<2"] {
            assert!(Constraints::parse(text).is_err(), "{text}");
        }
    }
}
