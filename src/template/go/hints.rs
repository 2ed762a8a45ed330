//! What to do about an error, in the words of people who write templates. Names only, never values.

use super::{
    ast::{Name, Node},
    fault::{Cause, Fault},
    funcs::Func,
    kind::Type,
    value::{Key, Map, Value},
};
use crate::problem::nearest;

pub(super) const NO_VALUE: &str =
    "the value is not there (yet): guard it with {{ with … }} or give a default with or";

const KV1: &str = "the secret has no `data` below .Data, so it comes from KV version 1 or another engine: \
                   write .Data.KEY instead of .Data.data.KEY";

const KV2: &str = "the secret comes from KV version 2: write .Data.data.KEY instead of .Data.KEY";

/// The names of a map's keys, as far as they are text.
fn names(map: &Map) -> Vec<String> {
    let name = |(key, _): (Key, Value)| key.text().and_then(|text| text.as_str().map(str::to_owned));
    map.entries().into_iter().filter_map(name).collect()
}

/// For a key that a map doesn't have.
pub(super) fn key(wanted: &str, map: &Map) -> Option<String> {
    let names = names(map);
    if wanted == "data" && !names.iter().any(|name| name == "data") {
        return Some(KV1.to_owned());
    }
    let is_v2 = names.len() == 2 && names.iter().all(|name| name == "data" || name == "metadata");
    if is_v2 {
        return Some(KV2.to_owned());
    }
    nearest(wanted, names.iter().map(String::as_str)).map(|near| format!("did you mean {near}?"))
}

/// For a name that failed on nil inside a chain: the name before it was the missing one.
pub(super) fn chain(mut fault: Box<Fault>, _node: &Node, before: &Option<(Map, &Name)>) -> Box<Fault> {
    if fault.hint.is_some() || fault.cause != Cause::MissingKey {
        return fault;
    }
    if fault.shown.starts_with("nil pointer evaluating interface {}") {
        fault.hint = before.as_ref().map(|(map, name)| {
            if map.get(&name.key).is_some() {
                return format!("{} is null in the secret", name.text);
            }
            key(&name.text, map).unwrap_or_else(|| format!("{} is not in the data", name.text))
        });
    } else if fault.shown.starts_with("nil pointer evaluating *dependency.SecretAuth") {
        fault.hint =
            Some("the answer has no auth block: only logins and auth/token/create give one".to_owned());
    } else if fault.shown.starts_with("nil pointer evaluating *dependency.Secret.") {
        fault.hint = Some("the answer is empty: guard it with {{ with … }}".to_owned());
    } else if fault.shown.starts_with("nil data") {
        fault.hint = Some(NO_VALUE.to_owned());
    }
    fault
}

/// For a field that a type doesn't have.
pub(super) fn field(wanted: &str, fields: &[(&'static str, Type)], of: &Value) -> Option<String> {
    if let Value::Object(object) = of
        && object.of.name == "dependency.PemEncoded"
    {
        return Some(
            "pkiCert has .Cert, .Key, .CA and .CAChain; use secret for the fields of Vault".to_owned(),
        );
    }
    if let Some(near) = nearest(wanted, fields.iter().map(|(name, _)| *name)) {
        return Some(format!("did you mean .{near}?"));
    }
    let is_secret = fields.iter().any(|(name, _)| *name == "LeaseID");
    is_secret.then(|| "the fields of a secret are below .Data (KV version 2: below .Data.data)".to_owned())
}

/// For a wrong number of arguments.
pub(super) fn usage(name: &str, function: &Func) -> Option<String> {
    let mut words: Vec<String> = function.params.iter().map(type_word).collect();
    if function.variadic
        && let Some(last) = words.last_mut()
    {
        last.push('…');
    }
    Some(format!("{name} takes: {name} {}", words.join(" ")).trim_end().to_owned())
}

fn type_word(of: &Type) -> String {
    match of {
        Type::Any | Type::Reflect => "ANY".to_owned(),
        Type::String => "TEXT".to_owned(),
        Type::Int | Type::Int64 | Type::Uint64 | Type::Uint32 | Type::Uint8 => "INTEGER".to_owned(),
        Type::Float64 => "NUMBER".to_owned(),
        Type::Bool => "BOOL".to_owned(),
        Type::List(_) => "LIST".to_owned(),
        Type::Map(..) => "MAP".to_owned(),
        other => other.to_string(),
    }
}

/// For an argument of a wrong type.
pub(super) fn conversion(wanted: &Type, have: &Value) -> Option<&'static str> {
    match (wanted, have) {
        (_, Value::Nil) => Some(NO_VALUE),
        (Type::String, Value::Number(_)) => {
            Some("numbers of Vault are no strings: pipe it through printf \"%v\" or toJSON first")
        }
        (Type::String, Value::Bool(_) | Value::Int(_) | Value::Int64(_) | Value::Float(_)) => {
            Some("pipe it through printf \"%v\" or toJSON first")
        }
        (Type::String, Value::Map(_) | Value::List(_)) => Some("pipe it through toJSON first"),
        (Type::Int, Value::Int64(_) | Value::Number(_) | Value::Float(_)) => {
            Some("convert it with sprig_int")
        }
        (Type::List(Type::String), Value::String(_)) => Some("it is one text: split makes a list of it"),
        (Type::List(Type::String), Value::List(_)) => Some("use sprig_join, which takes any list"),
        (Type::Map(Type::String, _), Value::Map(map)) if matches!(map.key, Type::Any) => {
            Some("a mapping of parseYAML doesn't fit here; parseJSON gives one that does")
        }
        _ => None,
    }
}

/// For a literal that a parameter doesn't take.
pub(super) fn literal(expected: &str, found: &str) -> Option<String> {
    let quoted = found.starts_with('"') || found.starts_with('`');
    match expected {
        "integer" | "unsigned integer" | "float" if quoted => {
            Some("write the number without quotes".to_owned())
        }
        "string" => Some(format!("write it in quotes: \"{found}\"")),
        "bool" => Some("write true or false without quotes, or a comparison in parentheses".to_owned()),
        _ => None,
    }
}

/// For a value that can't be ranged over.
pub(super) fn range(over: &Value) -> Option<String> {
    match over {
        Value::String(_) => Some("split the text into a list first: {{ range split \",\" .x }}".to_owned()),
        Value::Object(object) if object.of.name == "dependency.Secret" => {
            Some("range over its .Data, or for KV version 2 over .Data.data".to_owned())
        }
        Value::Number(_) => Some("to count, use {{ range loop (sprig_int .x) }}".to_owned()),
        _ => None,
    }
}

/// For an error of a function, by its words.
pub(super) fn error(shown: &str) -> Option<String> {
    if shown.contains("incompatible types for comparison") && shown.contains("json.Number") {
        return Some("compare numbers of Vault after sprig_int, or as text after printf \"%v\"".to_owned());
    }
    if shown.contains("incompatible types for comparison") {
        return Some(
            "both sides need the same type: convert one with sprig_int, parseInt or printf \"%v\"".to_owned(),
        );
    }
    let known = ERRORS.iter().find(|(words, _)| shown.contains(words));
    known.map(|(_, hint)| (*hint).to_owned())
}

/// Words of functions, and what to do about them.
const ERRORS: &[(&str, &str)] = &[
    (
        "unknown type (json.Number)",
        "numbers of Vault are texts here: make one to count with by sprig_int64 or sprig_float64",
    ),
    ("unknown type (string)", "make a number of the text by parseInt or parseFloat"),
    ("integer divide by zero", "the divisor comes first: {{ divide 2 10 }} is 5"),
    ("parseInt: strconv", "the text is no whole number of decimal digits"),
    ("parseUint: strconv", "the text is no whole number of decimal digits without a sign"),
    ("parseFloat: strconv", "the text is no number"),
    ("parseBool: strconv", "true, t, 1 and false, f, 0 are known, in small or capital letters"),
    ("invalid JSON", "the text is no JSON: look at the value with decant render --reveal"),
    ("JSON input", "the text is no JSON, or only the beginning of it"),
    ("yaml:", "the text is no YAML: look at the value with decant render --reveal"),
    (
        "illegal base64",
        "the text is no base64 of this alphabet with padding; base64URLDecode reads the other one",
    ),
    ("Perl syntax", "Go's patterns know no look-around and no back-references"),
    (
        "regexp",
        "patterns have the syntax of RE2; a backslash is doubled between \", single between back quotes",
    ),
    ("Invalid Semantic Version", "a version looks like 1.2.3"),
    ("improper constraint", "a constraint looks like >=1.2, ^1.2 or ~1.2.3"),
    (
        "4,000,000 parts",
        "the limit keeps a mistake from stopping the pod: lists within lists grow with each level",
    ),
    ("2,000,000 steps", "shorten the loops: the limit keeps a mistake from stopping the pod"),
    ("16 MiB", "the limit keeps a mistake from filling the memory of the pod"),
    ("32 MiB", "the limit keeps a mistake from filling the memory of the pod"),
    ("48 MiB", "the limit keeps a mistake from filling the memory of the pod"),
    ("1,000 programs", "call one program with all the data: {{ .Data | toJSON | plugin \"NAME\" }}"),
    (
        "required environment variable",
        "set it where the template is rendered, or give a default with envOrDefault",
    ),
    ("index out of range", "items count from 0; `len` says how many there are"),
    ("len of type", "texts, lists and mappings have a length"),
    ("of type <-chan", "range over it: {{ range loop 3 }}…{{ end }}"),
    ("not defined", "define it in the same text: {{ define \"NAME\" }}…{{ end }}"),
    ("5,000 different secrets", "the limit keeps a mistake from flooding the server"),
];
