use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use time::OffsetDateTime;

use super::*;

const NOW: u64 = 1_700_000_000;

/// A root that issues as the test says.
struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
struct Pair {
    cert: String,
    key: String,
}

fn params(name: &str, names: &[&str], from: u64, to: u64) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let time = |seconds: u64| OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap()).unwrap();
    (params.not_before, params.not_after) = (time(from), time(to));
    params
}

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = params(name, &[], NOW - 1000, NOW + 100_000);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// For the name `a` and the address 10.0.0.1.
    fn issue(&self, from: u64, to: u64) -> Pair {
        let key = KeyPair::generate().unwrap();
        let cert = params("a", &["a", "b.example", "10.0.0.1"], from, to).signed_by(&key, &self.0).unwrap();
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }
}

fn fields(pairs: &[(&str, &str)]) -> Params {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn places(key: bool, authority: bool) -> Places {
    Places { files: BTreeSet::new(), key, authority }
}

fn found(files: &[&str], wish: &[(&str, &str)], places: &Places) -> Option<Secret> {
    from_files(files.iter().map(|file| file.as_bytes()), &fields(wish), places, 0.9, NOW)
}

fn field(secret: &Secret, name: &str) -> Option<String> {
    match secret.data.as_ref()?.get(name)? {
        Value::String(text) => text.as_str().map(str::to_owned),
        Value::List(items) => Some(items.iter().map(|item| item.as_str().unwrap()).collect()),
        _ => None,
    }
}

fn answer(data: &serde_json::Value) -> Secret {
    Secret { data: Some(Value::from_json(&data.to_string()).unwrap()), ..Secret::default() }
}

#[test]
fn an_answer_becomes_leaf_key_issuer_and_chain() {
    let (root, middle) = (Ca::new("root"), Ca::new("middle"));
    let pair = middle.issue(NOW - 30, NOW + 20);
    let data = serde_json::json!({
        // The server's texts end without a newline.
        "certificate": pair.cert.trim_end(), "private_key": pair.key.trim_end(), "private_key_type": "ec",
        "issuing_ca": middle.pem().trim_end(), "ca_chain": [middle.pem(), root.pem()], "expiration": NOW + 20,
    });
    let secret = from_answer(&answer(&data), &fields(&[("common_name", "a")])).unwrap();
    assert_eq!(field(&secret, "Cert").unwrap(), pair.cert);
    assert_eq!(field(&secret, "Key").unwrap(), pair.key);
    assert_eq!(field(&secret, "CA").unwrap(), middle.pem());
    assert_eq!(field(&secret, "CAChain").unwrap(), middle.pem() + &root.pem(), "each once, the issuer first");
    assert_eq!(validity(&secret), Some((NOW - 30, NOW + 20)));
    assert!(!format!("{secret:?}").contains("BEGIN"));
}

#[test]
fn an_answer_without_its_parts_is_refused() {
    let pair = Ca::new("root").issue(NOW, NOW + 20);
    let none = fields(&[]);
    let no_leaf = answer(&serde_json::json!({"certificate": Ca::new("x").pem(), "private_key": pair.key}));
    assert_eq!(from_answer(&no_leaf, &none), Err(PkiError::NoCertificate));
    assert_eq!(from_answer(&Secret::default(), &none), Err(PkiError::NoCertificate));
    let other = Ca::new("root").issue(NOW, NOW + 20);
    for data in [
        serde_json::json!({"certificate": pair.cert}),
        serde_json::json!({"certificate": pair.cert, "private_key": other.key}),
    ] {
        assert_eq!(from_answer(&answer(&data), &none), Err(PkiError::NoKey));
    }
    let signed = answer(&serde_json::json!({"certificate": pair.cert}));
    let secret = from_answer(&signed, &fields(&[("csr", "mine")])).unwrap();
    assert_eq!(field(&secret, "Key"), None, "the key of a CSR is its owner's");
}

#[test]
fn a_good_pair_is_found_whatever_file_its_parts_are_in() {
    let root = Ca::new("root");
    let pair = root.issue(NOW - 30, NOW + 70);
    let all = [pair.cert.as_str(), &pair.key, &root.pem()].join("junk\n");
    for files in [vec![all.as_str()], vec![&pair.cert, &pair.key, &root.pem()]] {
        let secret = found(&files, &[("common_name", "a")], &places(true, true)).unwrap();
        assert_eq!(field(&secret, "Cert").unwrap(), pair.cert);
        assert_eq!(field(&secret, "Key").unwrap(), pair.key);
        assert_eq!(field(&secret, "CA").unwrap(), root.pem());
    }
}

#[test]
fn what_lacks_a_part_that_is_used_is_not_found() {
    let root = Ca::new("root");
    let (pair, other) = (root.issue(NOW - 30, NOW + 70), root.issue(NOW - 30, NOW + 70));
    assert!(found(&[&pair.cert], &[], &places(true, false)).is_none());
    assert!(found(&[&pair.cert, &other.key], &[], &places(true, false)).is_none(), "another's key");
    assert!(found(&[&pair.cert, &pair.key], &[], &places(true, true)).is_none());
    assert!(found(&[&pair.cert, &pair.key, &Ca::new("else").pem()], &[], &places(true, true)).is_none());
    let alone = found(&[&pair.cert], &[], &places(false, false)).unwrap();
    assert_eq!((field(&alone, "Key"), field(&alone, "CA")), (None, None));
    assert!(found(&["", "-----BEGIN X-----", &pair.key], &[], &places(false, false)).is_none());
}

#[test]
fn certificates_past_the_threshold_are_not_good_and_the_newest_good_one_is_used() {
    let root = Ca::new("root");
    for (from, to) in [(NOW - 100, NOW - 1), (NOW - 90, NOW + 10), (NOW - 95, NOW + 5)] {
        let pair = root.issue(from, to);
        assert!(found(&[&pair.cert, &pair.key], &[], &places(true, false)).is_none(), "{from} {to}");
    }
    let (older, newer) = (root.issue(NOW - 80, NOW + 20), root.issue(NOW - 10, NOW + 90));
    let files = [newer.cert.as_str(), &newer.key, &older.cert, &older.key];
    let secret = found(&files, &[], &places(true, false)).unwrap();
    assert_eq!((field(&secret, "Cert").unwrap(), field(&secret, "Key").unwrap()), (newer.cert, newer.key));
}

#[test]
fn foreign_certificates_are_not_used() {
    let pair = Ca::new("root").issue(NOW - 30, NOW + 70);
    for (wish, fits) in [
        (vec![("common_name", "A")], true),
        (vec![("common_name", "other")], false),
        (vec![("common_name", "a"), ("alt_names", "b.example, a")], true),
        (vec![("alt_names", "c.example")], false),
        (vec![("ip_sans", "10.0.0.1")], true),
        (vec![("ip_sans", "10.0.0.2")], false),
        (vec![("ip_sans", "nonsense")], false),
        (vec![("uri_sans", "spiffe://x/y")], false),
        (vec![("ttl", "1h")], true),
        (vec![("csr", "nonsense")], false),
    ] {
        assert_eq!(found(&[&pair.cert, &pair.key], &wish, &places(true, false)).is_some(), fits, "{wish:?}");
    }
}

#[test]
fn the_certificate_of_a_csr_is_the_one_for_its_key() {
    let ca = Ca::new("root");
    let key = KeyPair::generate().unwrap();
    let cert = params("a", &["a"], NOW - 30, NOW + 70).signed_by(&key, &ca.0).unwrap().pem();
    let csr = params("a", &["a"], NOW, NOW).serialize_request(&key).unwrap().pem().unwrap();
    let other = params("a", &["a"], NOW, NOW).serialize_request(&KeyPair::generate().unwrap()).unwrap();
    assert!(found(&[&cert], &[("csr", &csr)], &places(true, false)).is_some(), "no key is needed");
    assert!(found(&[&cert], &[("csr", &other.pem().unwrap())], &places(true, false)).is_none());
}
