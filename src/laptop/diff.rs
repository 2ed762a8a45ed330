//! What changes between two texts, line by line, in the form that `diff -u` has.

/// Lines around a change.
const CONTEXT: usize = 3;
/// Cells of the comparison's table; larger texts count as replaced whole where they differ.
const MOST_CELLS: usize = 16 << 20;

/// A line of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'t> {
    Same(&'t str),
    Old(&'t str),
    New(&'t str),
}

/// The differences, each line through `show_old` or `show_new` (context lines too); `None` when there are none.
pub fn unified(
    names: (&str, &str),
    (old, new): (&str, &str),
    show_old: impl Fn(&str) -> String,
    show_new: impl Fn(&str) -> String,
) -> Option<String> {
    if old == new {
        return None;
    }
    let lines = compare(&split(old), &split(new));
    let mut text = format!("--- {}\n+++ {}\n", names.0, names.1);
    let (mut old_at, mut new_at) = (1, 1);
    let mut places = Vec::with_capacity(lines.len());
    for line in &lines {
        places.push((old_at, new_at));
        old_at += usize::from(!matches!(line, Line::New(_)));
        new_at += usize::from(!matches!(line, Line::Old(_)));
    }
    for (from, to) in hunks(&lines) {
        let part = &lines[from..to];
        let olds = part.iter().filter(|line| !matches!(line, Line::New(_))).count();
        let news = part.iter().filter(|line| !matches!(line, Line::Old(_))).count();
        let start = |at: usize, count: usize| if count == 0 { at - 1 } else { at };
        let (old_at, new_at) = places[from];
        text.push_str(&format!("@@ -{},{olds} +{},{news} @@\n", start(old_at, olds), start(new_at, news)));
        for line in part {
            let (mark, line, shown) = match line {
                Line::Same(line) => (' ', line, show_new(line)),
                Line::Old(line) => ('-', line, show_old(line)),
                Line::New(line) => ('+', line, show_new(line)),
            };
            text.push(mark);
            text.push_str(shown.trim_end_matches('\n'));
            text.push('\n');
            if !line.ends_with('\n') {
                text.push_str("\\ No newline at end of file\n");
            }
        }
    }
    Some(text)
}

fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Ranges of lines that have changes in them or near them.
fn hunks(lines: &[Line<'_>]) -> Vec<(usize, usize)> {
    let mut hunks: Vec<(usize, usize)> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if matches!(line, Line::Same(_)) {
            continue;
        }
        let (from, to) = (at.saturating_sub(CONTEXT), (at + 1 + CONTEXT).min(lines.len()));
        match hunks.last_mut() {
            Some((_, end)) if from <= *end => *end = to,
            _ => hunks.push((from, to)),
        }
    }
    hunks
}

fn compare<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Line<'t>> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_middle, new_middle) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut lines: Vec<Line<'t>> = old[..head].iter().map(|line| Line::Same(line)).collect();
    if old_middle.len().saturating_mul(new_middle.len()) > MOST_CELLS {
        lines.extend(old_middle.iter().map(|line| Line::Old(line)));
        lines.extend(new_middle.iter().map(|line| Line::New(line)));
    } else {
        middle(old_middle, new_middle, &mut lines);
    }
    lines.extend(old[old.len() - tail..].iter().map(|line| Line::Same(line)));
    lines
}

/// The longest common subsequence, by the usual table.
fn middle<'t>(old: &[&'t str], new: &[&'t str], lines: &mut Vec<Line<'t>>) {
    let width = new.len() + 1;
    let mut table = vec![0_u32; (old.len() + 1) * width];
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            table[i * width + j] = if a == b {
                table[(i + 1) * width + j + 1] + 1
            } else {
                table[(i + 1) * width + j].max(table[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            lines.push(Line::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if table[(i + 1) * width + j] >= table[i * width + j + 1] {
            lines.push(Line::Old(old[i]));
            i += 1;
        } else {
            lines.push(Line::New(new[j]));
            j += 1;
        }
    }
    lines.extend(old[i..].iter().map(|line| Line::Old(line)));
    lines.extend(new[j..].iter().map(|line| Line::New(line)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(old: &str, new: &str) -> Option<String> {
        unified(("a", "b"), (old, new), str::to_owned, str::to_owned)
    }

    #[test]
    fn equal_texts_have_no_differences() {
        assert_eq!(diff("x\ny\n", "x\ny\n"), None);
    }

    #[test]
    fn hunks_have_three_lines_around_and_their_places() {
        let old: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let new = old.replace("\n5\n", "\nfive\n").replace("\n18\n", "\n18\n18b\n");
        insta::assert_snapshot!(diff(&old, &new).unwrap(), @r"
        --- a
        +++ b
        @@ -2,7 +2,7 @@
         2
         3
         4
        -5
        +five
         6
         7
         8
        @@ -16,5 +16,6 @@
         16
         17
         18
        +18b
         19
         20
        ");
    }

    #[test]
    fn new_files_and_missing_newlines_are_shown_as_diff_shows_them() {
        insta::assert_snapshot!(diff("", "a\nb").unwrap(), @r"
        --- a
        +++ b
        @@ -0,0 +1,2 @@
        +a
        +b
        \ No newline at end of file
        ");
        insta::assert_snapshot!(diff("a", "a\n").unwrap(), @r"
        --- a
        +++ b
        @@ -1,1 +1,1 @@
        -a
        \ No newline at end of file
        +a
        ");
    }

    #[test]
    fn huge_texts_are_replaced_rather_than_compared_for_ever() {
        let text = |mark: &str| (0..6000).map(|n| format!("{mark}{n}\n")).collect::<String>();
        let diff = diff(&text("a"), &text("b")).unwrap();
        assert_eq!(diff.lines().count(), 3 + 12_000);
    }
}
