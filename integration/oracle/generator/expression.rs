//! Expressions of a wanted type from what is in scope.

use super::{
    dice::Dice,
    functions::{FUNCTIONS, name},
    leaves,
};

/// Deepest nesting of calls.
const DEEPEST: usize = 3;

/// What an expression may name.
#[derive(Clone, Default)]
pub(crate) struct Scope {
    /// Variables and what they hold.
    pub(crate) variables: Vec<(String, char)>,
    /// Paths of fields below dot (or a variable) and what they hold.
    pub(crate) fields: Vec<(String, char)>,
    /// Dot holds this, if anything is known.
    pub(crate) dot: Option<char>,
    /// Inside a `range`.
    pub(crate) looping: bool,
}

/// Secrets of the fixture, with what is in them.
pub(crate) const SECRETS: &[(&str, &[(&str, char)])] = &[
    (
        "kv2",
        &[
            (".Data.data.user", 's'),
            (".Data.data.pass", 's'),
            (".Data.data.n", '#'),
            (".Data.data.f", '#'),
            (".Data.data.b", 'b'),
            (".Data.data.nil", '0'),
            (".Data.data.list", 'l'),
            (".Data.data.sub", 'm'),
            (".Data.data.sub.k", 's'),
            (".Data.data.empty", 's'),
            (".Data.data.multi", 's'),
            (".Data.data", 'm'),
            (".Data.metadata", 'm'),
            (".Data.metadata.version", '#'),
            (".Data.data.missing", '0'),
            (".Data.data.missing.deep", '0'),
            (".Data.nope", '0'),
            (".RequestID", 's'),
        ],
    ),
    (
        "kv1",
        &[
            (".Data.user", 's'),
            (".Data.n", '#'),
            (".Data", 'm'),
            (".LeaseDuration", 'i'),
            (".Data.data.x", '0'),
        ],
    ),
    (
        "dyn",
        &[
            (".Data.username", 's'),
            (".Data.password", 's'),
            (".LeaseID", 's'),
            (".Renewable", 'b'),
            (".Auth", '0'),
        ],
    ),
    (
        "kv/data/app",
        &[
            (".Data.data.user", 's'),
            (".Data.data.pass", 's'),
            (".Data.data.port", '#'),
            (".Data.data.hosts", 's'),
            (".Data.data.tls", 'b'),
            (".Data.data.json", 'j'),
            (".Data.data.b64", 'B'),
            (".Data.data.pem", 's'),
            (".Data.data", 'm'),
        ],
    ),
    (
        "kv1/app",
        &[(".Data.user", 's'), (".Data.host", 's'), (".Data", 'm'), (".Warnings", 't'), (".WrapInfo", '0')],
    ),
    ("aws/creds/app", &[(".Data.access_key", 's'), (".Data.secret_key", 's'), (".Data.security_token", '0')]),
    ("pki/issue/web", &[(".Data.ca_chain", 'l'), (".Data.certificate", 's'), (".Data.expiration", '#')]),
    (
        "auth/token/create",
        &[
            (".Auth.ClientToken", 's'),
            (".Auth.Policies", 't'),
            (".Auth.Metadata", 'M'),
            (".Auth.Metadata.team", 's'),
            (".Auth.Metadata.zz", 's'),
            (".Data", 'm'),
            (".Auth", 'a'),
        ],
    ),
    ("transit/keys/k", &[(".Data.keys", 'm'), (".Data.latest_version", '#')]),
    ("nilsecret", &[(".Data", '0'), (".Auth.x", '0')]),
    ("none", &[(".Data.x", '0'), (".Data", '0')]),
];

/// An expression that should give `wanted`; now and then one that doesn't.
pub(crate) fn expression(dice: &mut Dice, scope: &Scope, wanted: char, depth: usize) -> String {
    if dice.one_in(14) {
        let other = dice.pick(&["a", "s", "i", "f", "b", "l", "t", "m", "0", "#", "M", "S"]);
        let other = other.chars().next().unwrap_or('a');
        return leaf(dice, scope, other);
    }
    if depth >= DEEPEST || dice.below(10) < 4 + 2 * depth {
        return leaf(dice, scope, wanted);
    }
    match call(dice, scope, wanted, depth) {
        Some(call) => format!("({call})"),
        None => leaf(dice, scope, wanted),
    }
}

/// A call, without parentheses, whose result fits.
pub(crate) fn call(dice: &mut Dice, scope: &Scope, wanted: char, depth: usize) -> Option<String> {
    let fitting: Vec<usize> = (0..FUNCTIONS.len()).filter(|at| fits(FUNCTIONS[*at].2, wanted)).collect();
    if fitting.is_empty() {
        return None;
    }
    let at = fitting[dice.below(fitting.len())];
    Some(call_of(dice, scope, at, depth))
}

/// A call of one row of the table; half the time its last argument is piped into it.
pub(crate) fn call_of(dice: &mut Dice, scope: &Scope, at: usize, depth: usize) -> String {
    let mut arguments = Vec::new();
    let letters: Vec<char> = FUNCTIONS[at].1.chars().collect();
    for (place, letter) in letters.iter().enumerate() {
        if *letter == '*' {
            for _ in 0..dice.below(3) {
                arguments.push(expression(dice, scope, letters[place - 1], depth + 1));
            }
        } else if letters.get(place + 1) != Some(&'*') || !dice.one_in(5) {
            arguments.push(expression(dice, scope, *letter, depth + 1));
        }
    }
    match dice.below(40) {
        0 => {
            arguments.pop();
        }
        1 => arguments.push(expression(dice, scope, 'a', depth + 1)),
        2 => arguments.reverse(),
        _ => {}
    }
    let name = name(at);
    match arguments.pop() {
        None => name,
        Some(last) if dice.one_in(3) => {
            let piped = last.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).filter(|inner| {
                // Only a pair that belongs together.
                dice.one_in(2) && !inner.contains(['(', ')', '"', '`', '\''])
            });
            let piped = piped.unwrap_or(&last).to_owned();
            format!("{piped} | {}", [vec![name], arguments].concat().join(" "))
        }
        Some(last) => [vec![name], arguments, vec![last]].concat().join(" "),
    }
}

fn fits(given: char, wanted: char) -> bool {
    const TEXTS: &str = "scxryjheDuvVBpqkNFE";
    match wanted {
        'a' => true,
        'n' | '#' => matches!(given, 'i' | 'f' | 'n'),
        'L' | 'R' => matches!(given, 'l' | 't' | 'L' | 'R'),
        'M' => matches!(given, 'm' | 'M'),
        's' | 'k' | 'c' => TEXTS.contains(given),
        _ => given == wanted,
    }
}

/// A constant, a variable, a field, or the smallest call that gives `wanted`.
pub(crate) fn leaf(dice: &mut Dice, scope: &Scope, wanted: char) -> String {
    if dice.one_in(2) {
        let known = scope.variables.iter().chain(&scope.fields).filter(|(_, holds)| fits(*holds, wanted));
        let known: Vec<&(String, char)> = known.collect();
        if !known.is_empty() {
            return known[dice.below(known.len())].0.clone();
        }
        if scope.dot.is_some_and(|holds| fits(holds, wanted)) {
            return ".".to_owned();
        }
    }
    match wanted {
        'i' => leaves::int(dice),
        'f' => leaves::float(dice),
        'n' => number(dice),
        'b' => dice.pick(&["true", "false", "(not 1)", "(eq 1 1)"]).to_owned(),
        '#' => dice
            .pick(&[
                "(secret \"kv2\").Data.data.n",
                "(secret \"kv2\").Data.data.f",
                "(secret \"kv1\").Data.n",
                "(secret \"kv/data/app\").Data.data.port",
            ])
            .to_owned(),
        '0' => dice
            .pick(&[
                "nil",
                ".",
                "$",
                ".x",
                "(secret \"none\")",
                "(secret \"kv2\").Data.data.nil",
                "(index (parseJSON \"{}\") \"z\")",
                "(scratch.Get \"z\")",
                "nilmap",
            ])
            .to_owned(),
        'S' => {
            let path = SECRETS[dice.below(SECRETS.len())].0;
            format!("(secret \"{path}\")")
        }
        'P' => "pairs".to_owned(),
        'z' => format!(
            "(sprig_toDate \"2006-01-02\" \"20{:02}-0{}-1{}\")",
            dice.below(99),
            1 + dice.below(9),
            dice.below(10)
        ),
        'a' => anything(dice, scope),
        'l' | 't' | 'L' | 'R' => list(dice, wanted),
        'm' | 'M' => map(dice, wanted),
        _ => {
            let text = leaves::text(dice, wanted);
            leaves::quoted(dice, &text)
        }
    }
}

fn anything(dice: &mut Dice, scope: &Scope) -> String {
    let kind = dice.pick(&["s", "s", "i", "f", "n", "b", "#", "0", "l", "t", "m", "M", "L", "S", "z", "P"]);
    leaf(dice, scope, kind.chars().next().unwrap_or('s'))
}

fn number(dice: &mut Dice) -> String {
    match dice.below(7) {
        0 | 1 => leaves::int(dice),
        2 | 3 => leaves::float(dice),
        4 => format!("(parseInt \"{}\")", dice.between(-10, 19)),
        5 => format!("(parseUint \"{}\")", dice.below(20)),
        _ => dice
            .pick(&[
                "(len \"abc\")",
                "(sprig_int64 5)",
                "(parseFloat \"2.5\")",
                "(index \"abc\" 1)",
                "(sprig_add 1 2)",
                "(parseJSON \"7\")",
                "(parseYAML \"7\")",
                "(parseUint \"18446744073709551615\")",
            ])
            .to_owned(),
    }
}

fn list(dice: &mut Dice, wanted: char) -> String {
    let strings = [
        "(split \",\" \"a,b,c\")",
        "(sprig_splitList \",\" \"b,a,,b\")",
        "(secrets \"l\")",
        "(secrets \"none\")",
        "(split \",\" \"\")",
        "(sprig_sortAlpha (sprig_list \"b\" 2 \"a\"))",
    ];
    let anys = [
        "(sprig_list 1 \"a\" nil)",
        "(sprig_list)",
        "(parseJSON `[1,2,3]`)",
        "(parseJSON `[\"a\",\"b\"]`)",
        "(secret \"kv2\").Data.data.list",
        "(parseJSON `[[1],{\"a\":1},null,\"x\"]`)",
        "(sprig_list \"a\" \"b\" \"a\" \"\")",
        "(sprig_list 1 1.0 \"1\" true)",
        "(parseYAML \"[1, a, {b: c}]\")",
    ];
    let others = [
        "(sprig_until 3)",
        "(sprig_chunk 2 (sprig_list 1 2 3))",
        "(sprig_untilStep 5 0 -2)",
        "pairs",
        "\"text\"",
        "(loop 3)",
        "3",
        "(parseJSON `{\"b\":1,\"a\":2}`)",
        "mapSS",
        "nil",
    ];
    match wanted {
        't' => dice.pick(&strings).to_owned(),
        'l' => dice.pick(&anys).to_owned(),
        'L' if dice.one_in(4) => dice.pick(&others[..3]).to_owned(),
        'R' if dice.one_in(2) => dice.pick(&others).to_owned(),
        _ if dice.one_in(2) => dice.pick(&strings).to_owned(),
        _ => dice.pick(&anys).to_owned(),
    }
}

fn map(dice: &mut Dice, wanted: char) -> String {
    const MAPS: &[&str] = &[
        "(sprig_dict)",
        "(sprig_dict \"a\" 1 \"b\" \"x\")",
        "(parseJSON `{\"a\":{\"b\":[1,2]},\"c\":null,\"d\":\"\"}`)",
        "(secret \"kv2\").Data.data",
        "(secret \"kv1\").Data",
        "nilmap",
        "(parseJSON \"{}\")",
        "(sprig_dict \"k\" (sprig_list 1 2))",
        "(secret \"kv2\").Data.metadata",
        "(pairs | explode)",
        "(sprig_dict \"a/b\" 1 \"a/c/d\" 2)",
    ];
    const OTHERS: &[&str] = &[
        "(splitToMap \",\" \"=\" \"a=1,b=2\")",
        "mapSS",
        "(parseYAML \"a: 1\\nb: [x]\")",
        "(secret \"auth/token/create\").Auth.Metadata",
        "(sprig_split \"/\" \"a/b\")",
        "(parseYAML \"1: x\")",
    ];
    if wanted == 'M' && dice.one_in(2) {
        return dice.pick(OTHERS).to_owned();
    }
    if dice.one_in(4) {
        let text = leaves::text(dice, 'j');
        return format!("(parseJSON {})", leaves::quoted(dice, &text));
    }
    dice.pick(MAPS).to_owned()
}
