//! What Unicode says about characters: categories and scripts, under the names that Go knows.

use icu_properties::{
    CodePointMapData, PropertyNamesLong, PropertyParser,
    props::{GeneralCategory, GeneralCategoryGroup, Script},
};

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

/// Whether a character is a capital letter (category Lu, as Go's `unicode.IsUpper`).
pub fn is_upper(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_uppercase() } else { category(c) == GeneralCategory::UppercaseLetter }
}

/// Whether a character is a small letter (category Ll, as Go's `unicode.IsLower`).
pub fn is_lower(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_lowercase() } else { category(c) == GeneralCategory::LowercaseLetter }
}

/// Whether a character is a letter (category L).
pub fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { GeneralCategoryGroup::Letter.contains(category(c)) }
}

/// Whether a character is a decimal digit (category Nd, as Go's `unicode.IsDigit`).
pub fn is_digit(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { category(c) == GeneralCategory::DecimalNumber }
}

/// Whether a character is a number of any kind (category N).
pub fn is_number(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { GeneralCategoryGroup::Number.contains(category(c)) }
}

/// Whether a character is punctuation (category P; symbols such as `$` and `+` are none).
pub fn is_punctuation(c: char) -> bool {
    GeneralCategoryGroup::Punctuation.contains(category(c))
}

/// Whether a character is a letter, mark, number, punctuation or symbol.
pub fn is_visible(c: char) -> bool {
    let category = category(c);
    [
        GeneralCategoryGroup::Letter,
        GeneralCategoryGroup::Mark,
        GeneralCategoryGroup::Number,
        GeneralCategoryGroup::Punctuation,
        GeneralCategoryGroup::Symbol,
    ]
    .iter()
    .any(|group| group.contains(category))
}

/// The characters of a class such as `L`, `Lu`, `Letter` or `Greek`, in order; `None` for a name that Go doesn't know.
/// Names are compared without case, spaces, `_` and `-`, as Go compares them.
pub fn class(name: &str) -> Option<Vec<(char, char)>> {
    let plain = plain(name);
    match plain.as_str() {
        "any" => return Some(vec![('\0', char::MAX)]),
        "ascii" => return Some(vec![('\0', '\x7f')]),
        _ => {}
    }
    if let Some(group) = group(name, &plain) {
        let ranges = CodePointMapData::<GeneralCategory>::new().iter_ranges_for_group(group);
        return Some(ranges.filter_map(|range| characters(*range.start(), *range.end())).collect());
    }
    let script = PropertyParser::<Script>::new().get_loose(name)?;
    // The short names that Unicode has, too, are unknown to Go.
    if PropertyNamesLong::<Script>::new().get(script).is_none_or(|long| self::plain(long) != plain) {
        return None;
    }
    let ranges = CodePointMapData::<Script>::new().iter_ranges_for_value(script);
    Some(ranges.filter_map(|range| characters(*range.start(), *range.end())).collect())
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

fn group(name: &str, plain: &str) -> Option<GeneralCategoryGroup> {
    if plain == "assigned" {
        return Some(GeneralCategoryGroup::Unassigned.complement());
    }
    PropertyParser::<GeneralCategoryGroup>::new().get_loose(name)
}

/// A range of code points without the surrogates, which are no characters.
fn characters(first: u32, last: u32) -> Option<(char, char)> {
    let first = if (0xd800..0xe000).contains(&first) { 0xe000 } else { first };
    let last = if (0xd800..0xe000).contains(&last) { 0xd7ff } else { last };
    (first <= last).then_some((char::from_u32(first)?, char::from_u32(last)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_gos_names() {
        let has = |name: &str, c: char| {
            let ranges = class(name).unwrap_or_else(|| panic!("{name}"));
            ranges.iter().any(|(low, high)| (*low..=*high).contains(&c))
        };
        for (name, inside, outside) in [
            ("L", 'é', '1'),
            ("Lu", 'É', 'é'),
            ("lowercase letter", 'ß', 'A'),
            ("Nd", '१', 'Ⅷ'),
            ("P", '«', '+'),
            ("Greek", 'λ', 'l'),
            ("Old_Italic", '\u{10300}', 'l'),
            ("Any", 'x', '\0'),
            ("Assigned", 'x', '\u{378}'),
            ("LC", 'ǅ', 'ª'),
            ("C", '\u{378}', 'x'),
        ] {
            assert!(has(name, inside), "{name}");
            assert!(name == "Any" || !has(name, outside), "{name}");
        }
        for name in ["", "X", "Grek", "Nope", "Alphabetic"] {
            assert!(class(name).is_none(), "{name}");
        }
    }

    #[test]
    fn case_is_that_of_letters() {
        assert!(is_upper('É') && !is_upper('Ⅷ') && !is_upper('ǅ'));
        assert!(is_lower('é') && !is_lower('ª'));
        assert!(is_letter('ª') && !is_letter('Ⅷ') && is_number('Ⅷ') && !is_digit('Ⅷ'));
    }
}
