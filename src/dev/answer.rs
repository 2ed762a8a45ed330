//! What the server answers: secrets, bare JSON, nothing, or Vault's error bodies.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// An answer with a status below 400, or a 404 that carries data.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    Empty,
    Secret(Box<SecretBody>),
    /// JSON that is no secret: health, seal status.
    Bare(Box<RawValue>),
    /// An answer that was written before, byte by byte.
    Text(String),
    /// Text that is no JSON.
    Raw {
        content_type: &'static str,
        text: String,
    },
    /// The same path at another address, to which the client shall go.
    Redirect(String),
}

/// The result of one request.
pub(super) type Outcome = Result<Answer, Refusal>;

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) errors: Vec<String>,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, errors: vec![message.into()] }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// 403 as Vault words it before it looked at policies.
    pub(super) fn denied() -> Self {
        Self::new(403, "permission denied")
    }

    /// 403 as Vault words it when the policies don't allow the request.
    pub(super) fn denied_by_policy() -> Self {
        Self::new(403, list_of_errors("permission denied"))
    }

    /// 404 with an empty list, Vault's "nothing here".
    pub(super) const fn nothing() -> Self {
        Self { status: 404, errors: Vec::new() }
    }

    pub(super) fn unsupported_path() -> Self {
        Self::new(404, list_of_errors("unsupported path"))
    }

    pub(super) fn unsupported_operation() -> Self {
        Self::new(405, list_of_errors("unsupported operation"))
    }

    pub(super) fn internal() -> Self {
        Self::new(500, "internal error")
    }
}

/// One error in the words of Go's multierror.
pub(super) fn list_of_errors(message: &str) -> String {
    format!("1 error occurred:\n\t* {message}\n\n")
}

/// The body around data; the field order is the original's.
#[derive(Debug, Serialize)]
pub(super) struct SecretBody {
    /// System answers repeat their data at the top level.
    #[serde(flatten)]
    pub(super) top_level: Option<BTreeMap<String, Box<RawValue>>>,
    pub(super) request_id: String,
    pub(super) lease_id: String,
    pub(super) renewable: bool,
    pub(super) lease_duration: u64,
    pub(super) data: Option<Box<RawValue>>,
    pub(super) wrap_info: Option<WrapInfo>,
    pub(super) warnings: Option<Vec<String>>,
    pub(super) auth: Option<AuthBody>,
}

/// Where an answer is that was wrapped.
#[derive(Debug, Serialize)]
pub(super) struct WrapInfo {
    pub(super) token: String,
    pub(super) accessor: String,
    pub(super) ttl: u64,
    pub(super) creation_time: String,
    pub(super) creation_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wrapped_accessor: Option<String>,
}

/// The `auth` block of a login.
#[derive(Debug, Serialize)]
pub(super) struct AuthBody {
    pub(super) client_token: String,
    pub(super) accessor: String,
    pub(super) policies: Vec<String>,
    pub(super) token_policies: Vec<String>,
    pub(super) metadata: Option<BTreeMap<String, String>>,
    pub(super) lease_duration: u64,
    pub(super) renewable: bool,
    pub(super) entity_id: String,
    pub(super) token_type: &'static str,
    pub(super) orphan: bool,
    pub(super) mfa_requirement: Option<()>,
    pub(super) num_uses: i64,
}

impl Default for SecretBody {
    fn default() -> Self {
        Self {
            request_id: uuid(),
            lease_id: String::new(),
            renewable: false,
            lease_duration: 0,
            data: None,
            wrap_info: None,
            warnings: None,
            auth: None,
            top_level: None,
        }
    }
}

impl Answer {
    pub(super) const fn empty() -> Self {
        Self { status: 204, body: Body::Empty }
    }

    pub(super) fn bare(status: u16, body: &impl Serialize) -> Outcome {
        Ok(Self { status, body: Body::Bare(raw(body)?) })
    }

    pub(super) fn data(data: &impl Serialize) -> Outcome {
        Ok(Self::secret(SecretBody { data: Some(raw(data)?), ..SecretBody::default() }))
    }

    /// Data that is repeated at the top level, as most of `sys/` does.
    pub(super) fn system(data: &impl Serialize) -> Outcome {
        let data = raw(data)?;
        let top_level = serde_json::from_str(data.get()).map_err(|_| Refusal::internal())?;
        Ok(Self::secret(SecretBody { data: Some(data), top_level: Some(top_level), ..SecretBody::default() }))
    }

    /// A list of keys; an empty one is a 404.
    pub(super) fn keys(keys: &[String]) -> Outcome {
        #[derive(Serialize)]
        struct Keys<'a> {
            keys: &'a [String],
        }
        if keys.is_empty() { Err(Refusal::nothing()) } else { Self::data(&Keys { keys }) }
    }

    pub(super) fn auth(auth: AuthBody, warnings: Vec<String>) -> Self {
        Self::secret(SecretBody {
            auth: Some(auth),
            warnings: Some(warnings).filter(|list| !list.is_empty()),
            ..SecretBody::default()
        })
    }

    pub(super) fn secret(body: SecretBody) -> Self {
        Self { status: 200, body: Body::Secret(Box::new(body)) }
    }

    #[must_use]
    pub(super) const fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    #[must_use]
    pub(super) fn leased(mut self, id: String, duration: Duration, renewable: bool) -> Self {
        if let Body::Secret(body) = &mut self.body {
            body.lease_id = id;
            body.lease_duration = duration.as_secs();
            body.renewable = renewable;
        }
        self
    }

    #[must_use]
    pub(super) fn warn(mut self, warning: impl Into<String>) -> Self {
        if let Body::Secret(body) = &mut self.body {
            body.warnings.get_or_insert_default().push(warning.into());
        }
        self
    }

    /// The same answer without the token's id, for those who know an accessor only.
    #[must_use]
    pub(super) fn without_token(mut self) -> Self {
        if let Body::Secret(body) = &mut self.body
            && let Some(auth) = &mut body.auth
        {
            auth.client_token.clear();
        }
        self
    }
}

impl SecretBody {
    /// The accessor of a secret id, if that is what the answer holds.
    pub(super) fn secret_id_accessor(&self) -> Option<String> {
        let data: serde_json::Value = serde_json::from_str(self.data.as_ref()?.get()).ok()?;
        data.get("secret_id_accessor")?.as_str().map(str::to_owned)
    }
}

/// The body as it is sent, without the newline at its end.
pub(super) fn text_of(body: &impl Serialize) -> Result<String, Refusal> {
    let text = serde_json::to_string(body).map_err(|_| Refusal::internal())?;
    Ok(escaped(&text))
}

/// Go's encoder escapes what HTML could misread; these characters stand in JSON strings only.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 1);
    for letter in text.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// Serialises; what the server builds always can be.
pub(super) fn raw(value: &impl Serialize) -> Result<Box<RawValue>, Refusal> {
    to_raw_value(value).map_err(|_| Refusal::internal())
}

/// Random bytes; the operating system's source does not fail in practice.
fn random<const N: usize>() -> [u8; N] {
    use ring::rand::SecureRandom;
    let mut bytes = [0; N];
    if ring::rand::SystemRandom::new().fill(&mut bytes).is_err() {
        tracing::error!("the operating system gave no randomness");
    }
    bytes
}

/// Random bytes for serial numbers.
pub(super) fn random_bytes<const N: usize>() -> [u8; N] {
    random::<N>()
}

/// Random letters and digits.
pub(super) fn random_text<const N: usize>() -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    random::<N>().iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

/// A random UUID (version 4, RFC 9562).
pub(super) fn uuid() -> String {
    let mut bytes = random::<16>();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_their_form_and_differ() {
        let id = uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert_ne!(id, uuid());
    }

    #[test]
    fn system_answers_repeat_their_data() {
        let answer = Answer::system(&serde_json::json!({"keys": ["a"]})).unwrap();
        let Body::Secret(body) = answer.body else { panic!("no secret") };
        let text = serde_json::to_value(&body).unwrap();
        assert_eq!(text["keys"], text["data"]["keys"]);
    }
}
