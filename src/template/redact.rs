//! Messages without the values of the secrets that a render has read, whatever function quoted them.

use std::collections::BTreeSet;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use zeroize::Zeroizing;

use super::{go::quote, host::Host};
use crate::{
    secrets::request::{SecretRequest, Verb},
    vault::{
        path::HIDDEN,
        secret::Secret,
        value::{Text, Value},
    },
};

/// Shorter values are found in anything.
const TELLING: usize = 4;

/// The values that messages of one render must not show.
#[derive(Default)]
pub struct Redactor {
    values: Vec<Zeroizing<String>>,
}

impl Redactor {
    /// For what a template has read. What its own text says is no secret; a listing gives names, which are none.
    pub fn new(host: &mut dyn Host, used: &BTreeSet<SecretRequest>, text: &str) -> Self {
        let mut redactor = Self::default();
        for request in used.iter().filter(|request| request.verb != Verb::List) {
            if let Some(secret) = host.secret(request) {
                redactor.secret(&secret);
            }
        }
        redactor.values.retain(|value| !text.contains(value.as_str()));
        redactor
    }

    /// For what programs have printed, too.
    #[must_use]
    pub fn and(mut self, printed: &[Text], text: &str) -> Self {
        for printed in printed {
            self.value(&Value::String(printed.clone()));
        }
        self.values.retain(|value| !text.contains(value.as_str()));
        self
    }

    /// The text with `[hidden]` in place of each value, in any letters' case.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // Long ones first: a value can be a part of another.
        let mut values: Vec<&str> = self.values.iter().map(|value| value.as_str()).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        for value in values {
            let value = value.to_ascii_lowercase();
            let mut from = 0;
            while let Some(at) = text.get(from..).and_then(|rest| rest.to_ascii_lowercase().find(&value)) {
                text.replace_range(from + at..from + at + value.len(), HIDDEN);
                from += at + HIDDEN.len();
            }
        }
        text
    }

    fn secret(&mut self, secret: &Secret) {
        if let Some(data) = &secret.data {
            self.value(data);
        }
        self.text(&secret.lease_id);
        if let Some(auth) = &secret.auth {
            self.text(auth.client_token.expose());
        }
        if let Some(wrap) = &secret.wrap_info {
            self.text(wrap.token.expose());
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => {
                let text = text.as_str().unwrap_or_default();
                self.text(text);
                let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text));
                let decoded = Zeroizing::new(decoded.unwrap_or_default());
                self.text(std::str::from_utf8(&decoded).unwrap_or_default());
            }
            Value::List(items) => items.iter().for_each(|item| self.value(item)),
            Value::Map(map) => map.values().for_each(|item| self.value(item)),
        }
    }

    /// A value as it is, line by line, and as messages quote it.
    fn text(&mut self, text: &str) {
        for part in text.lines().map(str::trim) {
            let go = Zeroizing::new(quote::quote(part.as_bytes()));
            let rust = Zeroizing::new(format!("{part:?}"));
            let inner = |quoted: &str| quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned();
            for form in [part.to_owned(), inner(&go), inner(&rust)] {
                if form.len() >= TELLING {
                    self.values.push(Zeroizing::new(form));
                }
            }
        }
    }
}
