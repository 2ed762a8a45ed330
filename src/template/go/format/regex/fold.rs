//! Characters that `(?i)` takes for one another: orbits of Unicode's simple folding, as Go's `unicode.SimpleFold`.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::template::go::format::letters;

/// Where characters with a case are.
const CASED: &[(char, char)] = &[
    ('A', '\u{586}'),
    ('\u{10a0}', '\u{10ff}'),
    ('\u{13a0}', '\u{13fd}'),
    ('\u{1c80}', '\u{1ffc}'),
    ('\u{2126}', '\u{2184}'),
    ('\u{24b6}', '\u{24e9}'),
    ('\u{2c00}', '\u{2d2d}'),
    ('\u{a640}', '\u{a7f6}'),
    ('\u{ab53}', '\u{abbf}'),
    ('\u{ff21}', '\u{ff5a}'),
    ('\u{10400}', '\u{105bc}'),
    ('\u{10c80}', '\u{10cf2}'),
    ('\u{118a0}', '\u{118df}'),
    ('\u{16e40}', '\u{16e7f}'),
    ('\u{1e900}', '\u{1e943}'),
];

/// The others of a character's orbit; only characters that have some are here.
static ORBITS: LazyLock<BTreeMap<char, Vec<char>>> = LazyLock::new(|| {
    let mut orbits: BTreeMap<char, Vec<char>> = BTreeMap::new();
    for c in CASED.iter().flat_map(|(low, high)| *low..=*high) {
        orbits.entry(folded(c)).or_default().push(c);
    }
    let members = orbits.into_values().filter(|orbit| orbit.len() > 1);
    let others = |orbit: Vec<char>| {
        orbit
            .clone()
            .into_iter()
            .map(move |c| (c, orbit.iter().copied().filter(|other| *other != c).collect()))
    };
    members.flat_map(others).collect()
});

/// What all characters of an orbit have in common.
fn folded(c: char) -> char {
    match c {
        // Dotted and dotless i equal others in Turkish only.
        'İ' | 'ı' => c,
        // These have had partners since Unicode 16; Go's tables are those of 15.
        'ƛ' | 'ɤ' | '\u{1c89}' | '\u{1c8a}' => c,
        '\u{a7cb}'..='\u{a7cf}' | '\u{a7d2}'..='\u{a7d5}' | '\u{a7da}'..='\u{a7dc}' => c,
        _ => letters::lower(letters::upper(c)),
    }
}

/// The characters that equal one of `low` to `high` but for their case, some of these among them.
pub(super) fn others(low: char, high: char) -> impl Iterator<Item = char> {
    ORBITS.range(low..=high).flat_map(|(_, others)| others.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `c:others` for every character, as a Go program printed it that called `unicode.SimpleFold`; here their count
    /// and their FNV-1a hash.
    #[test]
    fn orbits_are_those_of_go() {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut count = 0;
        for (c, orbit) in ORBITS.iter() {
            let hex = |c: &char| format!("{:x}", u32::from(*c));
            let line = format!("{}:{}\n", hex(c), orbit.iter().map(hex).collect::<Vec<_>>().join(","));
            for byte in line.bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
            count += 1;
        }
        assert_eq!((count, hash), (2878, 0x8e16_5665_da23_be42));
        for (c, equal) in [
            ('s', "Sſ"),
            ('K', "k\u{212a}"),
            ('ς', "Σσ"),
            ('ß', "ẞ"),
            ('İ', ""),
            ('ı', ""),
            ('i', "I"),
            ('\u{3a9}', "\u{3c9}\u{2126}"),
        ] {
            assert_eq!(others(c, c).collect::<String>(), equal, "{c}");
        }
    }
}
