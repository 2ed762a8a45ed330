//! The contents of the file as JSON. Written by hand, so that core types stay without a wire format, numbers keep
//! their exact text, and no buffer with a secret is left behind when it grows.

use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Contents, KeptAnswer, KeptToken, KeptVerb};
use crate::vault::{
    path::{Namespace, Params, VaultPath},
    secret::{Auth, Secret},
    token::Token,
    value::Value,
};

/// The contents as JSON. Answers with strings that are no text are left out.
pub(super) fn encode(contents: &Contents) -> Zeroizing<Vec<u8>> {
    let mut length = Counter(0);
    // Neither a counter nor a vector can fail.
    let _ = write(&mut length, contents);
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
    let _ = write(&mut *bytes, contents);
    bytes
}

/// The contents, when it is JSON of ours.
pub(super) fn decode(bytes: &[u8]) -> Option<Contents> {
    let read: Read = serde_json::from_slice(bytes).ok()?;
    Some(Contents {
        identity: read.identity,
        token: KeptToken {
            token: read.token.token,
            accessor: read.token.accessor,
            issued: moment(read.token.issued)?,
            ttl: Duration::from_secs(read.token.ttl),
            expires: read.token.expires.map(moment).map_or(Some(None), |end| end.map(Some))?,
            renewable: read.token.renewable,
            policies: read.token.policies,
        },
        answers: read.answers.into_iter().map(answer).collect::<Option<_>>()?,
    })
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(out: &mut impl Write, contents: &Contents) -> io::Result<()> {
    let token = &contents.token;
    write!(out, r#"{{"identity":"#)?;
    text(out, &contents.identity)?;
    write!(out, r#","token":{{"token":"#)?;
    text(out, token.token.expose())?;
    write!(out, r#","accessor":"#)?;
    text(out, &token.accessor)?;
    write!(out, r#","issued":{},"ttl":{},"#, millis(token.issued), token.ttl.as_secs())?;
    if let Some(end) = token.expires {
        write!(out, r#""expires":{},"#, millis(end))?;
    }
    write!(out, r#""renewable":{},"policies":"#, token.renewable)?;
    serde_json::to_writer(&mut *out, &token.policies)?;
    write!(out, r#"}},"answers":["#)?;
    for (at, answer) in contents.answers.iter().filter(|answer| is_text(answer)).enumerate() {
        write!(out, "{}", if at > 0 { "," } else { "" })?;
        write_answer(out, answer)?;
    }
    write!(out, "]}}")
}

fn write_answer(out: &mut impl Write, answer: &KeptAnswer) -> io::Result<()> {
    let (verb, fields) = match &answer.verb {
        KeptVerb::Read => ("read", None),
        KeptVerb::List => ("list", None),
        KeptVerb::Write(fields) => ("write", Some(fields)),
        KeptVerb::Issue(fields) => ("issue", Some(fields)),
    };
    write!(out, r#"{{"verb":"{verb}","path":"#)?;
    text(out, answer.path.as_str())?;
    if let Some(namespace) = &answer.namespace {
        write!(out, r#","namespace":"#)?;
        text(out, namespace.as_str())?;
    }
    for (name, params) in [("params", Some(&answer.params)), ("fields", fields)] {
        if let Some(params) = params {
            write!(out, r#","{name}":"#)?;
            write_params(out, params)?;
        }
    }
    if let Some(confirmed) = answer.confirmed {
        write!(out, r#","confirmed":{}"#, millis(confirmed))?;
    }
    if let Some((since, ends)) = answer.lease {
        write!(out, r#","lease":[{},{}]"#, millis(since), millis(ends))?;
    }
    write!(out, r#","due":{},"renew":{},"secret":"#, millis(answer.due), answer.renew)?;
    write_secret(out, &answer.secret)?;
    write!(out, "}}")
}

fn write_params(out: &mut impl Write, params: &Params) -> io::Result<()> {
    write!(out, "{{")?;
    for (at, (key, value)) in params.iter().enumerate() {
        write!(out, "{}", if at > 0 { "," } else { "" })?;
        text(out, key)?;
        write!(out, ":")?;
        text(out, value)?;
    }
    write!(out, "}}")
}

fn write_secret(out: &mut impl Write, secret: &Secret) -> io::Result<()> {
    write!(out, r#"{{"request_id":"#)?;
    text(out, &secret.request_id)?;
    write!(out, r#","lease_id":"#)?;
    text(out, &secret.lease_id)?;
    write!(out, r#","lease_duration":{},"renewable":{}"#, secret.lease_duration, secret.renewable)?;
    if let Some(data) = &secret.data {
        write!(out, r#","data":"#)?;
        write_value(out, data)?;
    }
    write!(out, r#","warnings":"#)?;
    serde_json::to_writer(&mut *out, &secret.warnings)?;
    if let Some(auth) = &secret.auth {
        write!(out, r#","auth":"#)?;
        write_auth(out, auth)?;
    }
    if let Some(wrap_info) = &secret.wrap_info {
        write!(out, r#","wrap_info":"#)?;
        out.write_all(&wrap_info.json_line())?;
    }
    write!(out, "}}")
}

fn write_auth(out: &mut impl Write, auth: &Auth) -> io::Result<()> {
    write!(out, r#"{{"client_token":"#)?;
    text(out, auth.client_token.expose())?;
    write!(out, r#","accessor":"#)?;
    text(out, &auth.accessor)?;
    write!(out, r#","policies":"#)?;
    serde_json::to_writer(&mut *out, &auth.policies)?;
    write!(out, r#","token_policies":"#)?;
    serde_json::to_writer(&mut *out, &auth.token_policies)?;
    write!(out, r#","metadata":"#)?;
    serde_json::to_writer(&mut *out, &auth.metadata)?;
    write!(out, r#","lease_duration":{},"renewable":{},"#, auth.lease_duration, auth.renewable)?;
    write!(out, r#""token_type":"#)?;
    text(out, &auth.token_type)?;
    write!(out, "}}")
}

fn write_value(out: &mut impl Write, value: &Value) -> io::Result<()> {
    match value {
        Value::Null => write!(out, "null"),
        Value::Bool(is) => write!(out, "{is}"),
        Value::Number(number) => out.write_all(number.as_bytes()),
        Value::String(string) => text(out, string.as_str().unwrap_or_default()),
        Value::List(items) => {
            write!(out, "[")?;
            for (at, item) in items.iter().enumerate() {
                write!(out, "{}", if at > 0 { "," } else { "" })?;
                write_value(out, item)?;
            }
            write!(out, "]")
        }
        Value::Map(map) => {
            write!(out, "{{")?;
            for (at, (key, item)) in map.iter().enumerate() {
                write!(out, "{}", if at > 0 { "," } else { "" })?;
                text(out, key)?;
                write!(out, ":")?;
                write_value(out, item)?;
            }
            write!(out, "}}")
        }
    }
}

fn text(out: &mut impl Write, text: &str) -> io::Result<()> {
    serde_json::to_writer(out, text).map_err(io::Error::from)
}

fn is_text(answer: &KeptAnswer) -> bool {
    fn holds(value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => true,
            Value::Number(text) | Value::String(text) => text.as_str().is_some(),
            Value::List(items) => items.iter().all(holds),
            Value::Map(map) => map.values().all(holds),
        }
    }
    answer.secret.data.as_ref().is_none_or(holds)
}

/// Milliseconds since 1970.
fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn moment(millis: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

#[derive(Deserialize)]
struct Read {
    identity: String,
    token: ReadToken,
    answers: Vec<ReadAnswer>,
}

#[derive(Deserialize)]
struct ReadToken {
    token: Token,
    accessor: String,
    issued: u64,
    ttl: u64,
    #[serde(default)]
    expires: Option<u64>,
    renewable: bool,
    policies: Vec<String>,
}

#[derive(Deserialize)]
struct ReadAnswer {
    verb: String,
    path: String,
    #[serde(default)]
    namespace: Option<String>,
    params: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    fields: std::collections::BTreeMap<String, String>,
    secret: Secret,
    /// Files of the first versions don't have it.
    #[serde(default)]
    confirmed: Option<u64>,
    #[serde(default)]
    lease: Option<(u64, u64)>,
    due: u64,
    renew: bool,
}

fn answer(read: ReadAnswer) -> Option<KeptAnswer> {
    let params = |said: std::collections::BTreeMap<String, String>| -> Params {
        said.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
    };
    let fields = params(read.fields);
    let lease = match read.lease {
        Some((since, ends)) => Some((moment(since)?, moment(ends)?)),
        None => None,
    };
    Some(KeptAnswer {
        verb: match read.verb.as_str() {
            "read" => KeptVerb::Read,
            "list" => KeptVerb::List,
            "write" => KeptVerb::Write(fields),
            "issue" => KeptVerb::Issue(fields),
            _ => return None,
        },
        namespace: read.namespace.as_deref().and_then(Namespace::parse),
        path: VaultPath::parse(&read.path).ok()?.0,
        params: params(read.params),
        secret: Arc::new(read.secret),
        confirmed: read.confirmed.and_then(moment),
        lease,
        due: moment(read.due)?,
        renew: read.renew,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cache) fn contents() -> Contents {
        let at = |seconds: u64| UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 5);
        let secret = |json: &str| Arc::new(serde_json::from_str::<Secret>(json).unwrap());
        let (path, params) = VaultPath::parse("database/creds/app?version=2").unwrap();
        let issue: Params = [("common_name".into(), "a \"quoted\" name".into())].into();
        Contents {
            identity: "http://vault kubernetes auth/kubernetes app".into(),
            token: KeptToken {
                token: Token::new("hvs.canary"),
                accessor: "acc".into(),
                issued: at(1),
                ttl: Duration::from_secs(3600),
                expires: Some(at(3601)),
                renewable: true,
                policies: vec!["app".into()],
            },
            answers: vec![
                KeptAnswer {
                    verb: KeptVerb::Read,
                    namespace: Namespace::parse("team/a"),
                    path: path.clone(),
                    params,
                    secret: secret(
                        r#"{"request_id":"r","lease_id":"database/creds/app/1","lease_duration":60,"renewable":true,
                        "data":{"password":"p\"\n\u00e9","number":1.50,"big":123456789012345678901,"list":[1,null,true,{}]},
                        "warnings":["w"]}"#,
                    ),
                    confirmed: Some(at(11)),
                    lease: Some((at(10), at(70))),
                    due: at(50),
                    renew: true,
                },
                KeptAnswer {
                    verb: KeptVerb::Issue(issue),
                    namespace: None,
                    path,
                    params: Params::new(),
                    secret: secret(
                        r#"{"auth":{"client_token":"hvs.other","accessor":"a","policies":["p"],"token_policies":[],
                        "metadata":{"k":"v"},"lease_duration":9,"renewable":true,"token_type":"service"},
                        "wrap_info":{"token":"hvs.w","accessor":"a","ttl":5,"creation_time":"t",
                        "creation_path":"p","wrapped_accessor":"x"}}"#,
                    ),
                    confirmed: None,
                    lease: None,
                    due: at(99),
                    renew: false,
                },
            ],
        }
    }

    #[test]
    fn everything_comes_back_exactly() {
        let contents = contents();
        let bytes = encode(&contents);
        assert_eq!(bytes.len(), bytes.capacity(), "nothing was copied on the way");
        assert!(std::str::from_utf8(&bytes).unwrap().contains(r#""number":1.50"#));
        assert_eq!(decode(&bytes).unwrap(), contents);
        let endless = Contents {
            token: KeptToken { expires: None, ttl: Duration::ZERO, ..contents.token.clone() },
            answers: Vec::new(),
            ..contents
        };
        assert_eq!(decode(&encode(&endless)).unwrap(), endless);
    }

    #[test]
    fn a_file_that_does_not_say_when_an_answer_was_confirmed_is_read_all_the_same() {
        let mut older = contents();
        older.answers[0].confirmed = None;
        let bytes = encode(&older);
        assert!(!String::from_utf8_lossy(&bytes).contains("confirmed"));
        assert_eq!(decode(&bytes).unwrap(), older);
    }

    #[test]
    fn what_is_no_text_is_left_out_and_what_is_no_json_is_nothing() {
        let mut odd = contents();
        let data = Value::List(Arc::new(vec![Value::String(vec![0xff].into())]));
        odd.answers[0].secret = Arc::new(Secret { data: Some(data), ..Secret::default() });
        assert_eq!(decode(&encode(&odd)).unwrap().answers.len(), 1);
        for junk in ["", "{}", "[]", r#"{"identity":"x","token":{},"answers":[]}"#] {
            assert!(decode(junk.as_bytes()).is_none(), "{junk}");
        }
        let unknown =
            String::from_utf8(encode(&contents()).to_vec()).unwrap().replace("\"issue\"", "\"eat\"");
        assert!(decode(unknown.as_bytes()).is_none());
    }

    #[test]
    fn nothing_of_it_prints_a_secret() {
        let shown = format!("{:?}", contents());
        assert!(!shown.contains("canary") && !shown.contains("quoted") && !shown.contains("hvs."), "{shown}");
    }
}
