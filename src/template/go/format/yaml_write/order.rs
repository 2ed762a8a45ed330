//! The natural order of keys that yaml.v2 writes: `a2` before `a10`, letters last.

use crate::template::go::value::{Key, Value};

/// Sorts entries by key. The order is the original's and not total, so this is a merge sort that any order suits.
pub(super) fn sort(entries: &mut Vec<(Key, Value)>) {
    if entries.len() < 2 {
        return;
    }
    let mut right = entries.split_off(entries.len() / 2);
    sort(entries);
    sort(&mut right);
    let mut left = std::mem::take(entries).into_iter().peekable();
    let mut right = right.into_iter().peekable();
    loop {
        let take_right = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => less(&b.0, &a.0),
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return,
        };
        entries.extend(if take_right { right.next() } else { left.next() });
    }
}

fn number(key: &Key) -> Option<f64> {
    Some(match key {
        Key::Int(number) => *number as f64,
        Key::Uint64(number) => *number as f64,
        Key::Float(number) => *number,
        Key::Bool(flag) => f64::from(u8::from(*flag)),
        Key::Nil | Key::String(_) => return None,
    })
}

/// The order of Go's kinds.
const fn kind(key: &Key) -> u8 {
    match key {
        Key::Bool(_) => 1,
        Key::Int(_) => 2,
        Key::Uint64(_) => 11,
        Key::Float(_) => 14,
        Key::Nil => 20,
        Key::String(_) => 24,
    }
}

fn less(a: &Key, b: &Key) -> bool {
    match (a, b) {
        (Key::String(a), Key::String(b)) => {
            text_less(&String::from_utf8_lossy(a.as_bytes()), &String::from_utf8_lossy(b.as_bytes()))
        }
        _ => match (number(a), number(b)) {
            (Some(x), Some(y)) if x != y => x < y,
            _ => kind(a) < kind(b),
        },
    }
}

fn text_less(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = (0..a.len().min(b.len())).find(|at| a[*at] != b[*at]) else {
        return a.len() < b.len();
    };
    match (a[at].is_alphabetic(), b[at].is_alphabetic()) {
        (true, true) => return a[at] < b[at],
        (false, true) => return true,
        (true, false) => return false,
        (false, false) => {}
    }
    // A zero counts when a digit other than zero stands before it.
    let zero = a[at] == '0' || b[at] == '0';
    let before = a[..at].iter().rev().take_while(|c| c.is_ascii_digit()).any(|c| *c != '0');
    let start = i64::from(zero && before);
    let (a_end, a_value) = digits(&a, at, start);
    let (b_end, b_value) = digits(&b, at, start);
    if a_value != b_value {
        return a_value < b_value;
    }
    if a_end != b_end {
        return a_end < b_end;
    }
    a[at] < b[at]
}

fn digits(text: &[char], from: usize, start: i64) -> (usize, i64) {
    let mut value = start;
    let mut at = from;
    while let Some(digit) = text.get(at).and_then(|c| c.to_digit(10)) {
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        at += 1;
    }
    (at, value)
}
