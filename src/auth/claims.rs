//! What a JWT says about itself, read without trusting it: to wait for a fresh one and to explain a refused login.
//!
//! Source: RFC 7519 section 4.1; the Kubernetes claims of projected service-account tokens.

use std::{fmt, time::Duration};

use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The claims that matter for a login. None of them is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// Issuer.
    #[serde(default)]
    pub iss: Option<String>,
    /// Subject, for instance `system:serviceaccount:namespace:name`.
    #[serde(default)]
    pub sub: Option<String>,
    /// Audiences.
    #[serde(default)]
    pub aud: Audience,
    /// End, in seconds since 1970.
    #[serde(default)]
    pub exp: Option<u64>,
    /// What Kubernetes bound the token to.
    #[serde(default, rename = "kubernetes.io")]
    pub kubernetes: Option<Bound>,
}

/// One audience or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A text.
    One(String),
    /// A list, possibly empty.
    Many(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

/// The objects a projected token is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Bound {
    /// Namespace of the pod.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The pod.
    #[serde(default)]
    pub pod: Option<Object>,
}

/// A Kubernetes object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Object {
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
}

impl Claims {
    /// Reads the claims of a JWT; `None` when it isn't one. The signature is not looked at.
    pub fn read(jwt: &str) -> Option<Self> {
        jsonwebtoken::dangerous::insecure_decode::<Self>(jwt).ok().map(|data| data.claims)
    }

    /// How long ago it ended; `None`: it is still good, or says no end. `now` in seconds since 1970.
    pub fn expired_since(&self, now: u64) -> Option<Duration> {
        self.exp.filter(|exp| *exp <= now).map(|exp| Duration::from_secs(now - exp))
    }

    fn audiences(&self) -> &[String] {
        match &self.aud {
            Audience::One(audience) => std::slice::from_ref(audience),
            Audience::Many(audiences) => audiences,
        }
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let exp = self.exp.and_then(|exp| OffsetDateTime::from_unix_timestamp(i64::try_from(exp).ok()?).ok());
        let exp = exp.and_then(|exp| exp.format(&Rfc3339).ok()).unwrap_or_else(|| "none".to_owned());
        write!(
            f,
            "iss={} aud=[{}] sub={} exp={exp}",
            text(&self.iss),
            self.audiences().join(", "),
            text(&self.sub)
        )?;
        if let Some(pod) = self.kubernetes.as_ref().and_then(|bound| bound.pod.as_ref()?.name.as_deref()) {
            write!(f, " pod={pod}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    /// A JWT with these claims and a signature that nobody checks.
    pub(crate) fn jwt(claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(r#"{"alg":"RS256","typ":"JWT"}"#), part(claims), part("signature"))
    }

    #[test]
    fn a_projected_token_explains_itself() {
        let claims = Claims::read(&jwt(
            r#"{"iss":"https://k8s","sub":"system:serviceaccount:shop:web","aud":["vault"],"exp":1700000000,
                "kubernetes.io":{"namespace":"shop","pod":{"name":"web-1","uid":"u"}}}"#,
        ))
        .unwrap();
        assert_eq!(
            claims.to_string(),
            "iss=https://k8s aud=[vault] sub=system:serviceaccount:shop:web exp=2023-11-14T22:13:20Z pod=web-1"
        );
        assert_eq!(claims.expired_since(1_699_999_999), None);
        assert_eq!(claims.expired_since(1_700_000_060), Some(Duration::from_secs(60)));
    }

    #[test]
    fn old_tokens_without_end_and_odd_ones_are_read_too() {
        let legacy = Claims::read(&jwt(r#"{"iss":"kubernetes/serviceaccount","aud":"one"}"#)).unwrap();
        assert_eq!(legacy.to_string(), "iss=kubernetes/serviceaccount aud=[one] sub=none exp=none");
        assert_eq!(legacy.expired_since(u64::MAX), None);
        let absurd = Claims::read(&jwt(r#"{"exp":18446744073709551615}"#)).unwrap();
        assert!(absurd.to_string().ends_with("exp=none"));
        assert_eq!(Claims::read("no jwt"), None);
        assert_eq!(Claims::read(""), None);
    }
}
