//! One case of the corpus, answered by our engine.

use std::{collections::BTreeMap, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use decant::{
    clock::zone::Zone,
    config::template::{Destination, OnMissingKey, TemplateSource, TemplateSpec},
    origin::Origin,
    template::{
        Identity, Template,
        error::{Phase, TemplateError},
        fixture::{Fixture, FixtureHost},
        go::{
            funcs::{
                Func,
                pairs::{PAIR, pair},
            },
            kind::Type,
            value::{Key, List, Map as GoMap, Value as GoValue},
        },
        host::FileEffect,
    },
};
use serde_json::{Map, Value, json};

/// The answer to a case, as the keys that the corpus uses.
pub(crate) fn answer(case: &Map<String, Value>, fixture: &Fixture) -> Map<String, Value> {
    let spec = spec(case);
    let text = case.get("tmpl").and_then(Value::as_str).unwrap_or_default();
    let mut answer = Map::new();
    let mut local = fixture.clone();
    if let Some(zone) = case.get("tz").and_then(Value::as_str) {
        local.set_zone(Zone::local(Some(zone)).unwrap_or_default());
    }
    let result = Template::compile_with(&spec, text, EXTRA, &mut decant::template::no_partials)
        .and_then(|template| FixtureHost::new(&local).settle(&template, &Identity::default()));
    match result {
        Ok(render) => {
            let files = files(&render.effects);
            match files {
                Err(words) => {
                    answer.insert("exec_error".to_owned(), words.into());
                    return answer;
                }
                Ok(files) if !files.is_empty() => {
                    answer.insert("files".to_owned(), Value::Array(files));
                }
                Ok(_) => {}
            }
            let (key, value) = bytes("out", &render.bytes);
            answer.insert(key, value);
        }
        Err(error) => {
            answer.insert(error_key(&error).to_owned(), error.go_text().into());
        }
    }
    answer
}

fn error_key(error: &TemplateError) -> &'static str {
    match error.phase() {
        Phase::Parse => "parse_error",
        Phase::Execute => "exec_error",
    }
}

fn bytes(key: &str, bytes: &[u8]) -> (String, Value) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (key.to_owned(), text.into()),
        Err(_) => (format!("{key}_b64"), STANDARD.encode(bytes).into()),
    }
}

/// The settings that a case asks for.
pub(crate) fn spec(case: &Map<String, Value>) -> TemplateSpec {
    let texts = |key: &str| -> Vec<String> {
        let items = case.get(key).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let delimiters = match texts("delims").as_slice() {
        [left, right] => (left.clone(), right.clone()),
        _ => ("{{".to_owned(), "}}".to_owned()),
    };
    let error = case.get("missingkey").and_then(Value::as_str) == Some("error");
    TemplateSpec {
        origin: Origin::Default,
        source: TemplateSource::Inline("".into()),
        dialect: Default::default(),
        partials_path: None,
        delimiters,
        destination: Destination {
            path: PathBuf::new(),
            perms: None,
            user: None,
            group: None,
            create_dest_dirs: true,
            backup: false,
        },
        on_missing_key: if error { OnMissingKey::Error } else { OnMissingKey::Zero },
        error_fatal: true,
        actions: Vec::new(),
        group: None,
        wait: None,
        function_denylist: texts("denylist"),
        sandbox_path: None,
        static_secret_render_interval: None,
        lease_renewal_threshold: None,
    }
}

/// What `writeToFile` leaves on an empty disk, in the order of the paths.
fn files(effects: &[FileEffect]) -> Result<Vec<Value>, String> {
    let mut disk: BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)> = BTreeMap::new();
    for effect in effects {
        let (uid, gid) = (user(&effect.user)?, group(&effect.group)?);
        let file = disk.entry(effect.path.clone()).or_insert((0, 0, 0, Vec::new()));
        (file.0, file.1, file.2) = (effect.mode, uid, gid);
        if !effect.append {
            file.3.clear();
        }
        file.3.extend_from_slice(&effect.contents);
    }
    Ok(disk
        .into_iter()
        .map(|(path, (mode, uid, gid, contents))| {
            let (key, contents) = bytes("content", &contents);
            let mut file = json!({ "path": path, "mode": format!("{mode:04o}"), "uid": uid, "gid": gid });
            if let Some(file) = file.as_object_mut() {
                file.insert(key, contents);
            }
            file
        })
        .collect())
}

const USERS: &[(&str, i64, i64)] = &[
    ("root", 0, 0),
    ("daemon", 1, 1),
    ("www-data", 33, 33),
    ("postgres", 70, 70),
    ("vault", 100, 1000),
    ("nginx", 101, 101),
    ("app", 1001, 1001),
    ("nobody", 65534, 65534),
];

fn user(name: &str) -> Result<i64, String> {
    if name.is_empty() {
        return Ok(0);
    }
    let known = USERS.iter().find(|(user, ..)| *user == name).map(|(_, uid, _)| *uid);
    known.or_else(|| name.parse().ok()).ok_or_else(|| format!("user: unknown user {name}"))
}

fn group(name: &str) -> Result<i64, String> {
    match name {
        "" => return Ok(0),
        "ssl-cert" => return Ok(110),
        _ => {}
    }
    let known = USERS.iter().find(|(user, ..)| *user == name).map(|(.., gid)| *gid);
    known.or_else(|| name.parse().ok()).ok_or_else(|| format!("group: unknown group {name}"))
}

/// Functions of the corpus that no agent has.
static EXTRA: &[Func] = &[
    Func::new("pairs", &[], Type::List(&PAIR), "four pairs of keys and values", |_, _| {
        let pairs = [("es/a", "1"), ("es/b", "2"), ("redis/a/b", "3"), ("top", "t")];
        let items = pairs.iter().map(|(key, value)| pair(key, GoValue::text(*value))).collect();
        Ok(GoValue::List(List::new(&PAIR, items)))
    }),
    Func::new("mapSS", &[], Type::STRING_DICT, "a map of strings", |_, _| {
        let entries = [(Key::String("a".into()), GoValue::text("1"))].into();
        Ok(GoValue::Map(GoMap::new(&Type::String, &Type::String, entries)))
    }),
    Func::new("nilmap", &[], Type::DICT, "the nil map", |_, _| Ok(Type::DICT.zero())),
];
