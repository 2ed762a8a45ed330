//! Certificates with their keys: `pkiCert` and `writeToFile`, from the issuing role to the files, again and again.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::harness::{Pod, Server, canary::remember, each_server, eventually, on_dev};

const BUNDLE: &str = "{{ with pkiCert \"pki/issue/web\" \"common_name=app.example.com\" }}{{ .Cert }}{{ .CA }}{{ .Key }}{{ end }}";
const ISSUE: &str = "/v1/pki/issue/web";

/// A root and the role `web`, which the login role `pki` may use; `more`: fields of `web`.
pub fn engine(server: &Server, more: &Value) {
    server.ok("POST", "sys/mounts/pki", &json!({"type": "pki"}));
    server.ok(
        "POST",
        "pki/root/generate/internal",
        &json!({"common_name": "Root", "ttl": "24h", "key_type": "ec"}),
    );
    let mut role = json!({"allow_any_name": true, "key_type": "ec", "ttl": "1h"});
    role.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    server.ok("POST", "pki/roles/web", &role);
    let policy = "path \"pki/issue/*\" { capabilities = [\"update\"] }";
    server.ok("PUT", "sys/policies/acl/pki", &json!({"policy": policy}));
    server.role("pki", &json!({"token_policies": ["pki"], "token_ttl": "1h"}));
}

/// A configuration with these template stanzas that renders once.
fn once(pod: &Pod, server: &Server, templates: &str) -> String {
    format!("exit_after_auth = true\n{}{templates}", pod.login(server, "pki"))
}

/// A template that prints what comes before and writes the key into a file of its own.
fn with_key_file(pod: &Pod, path: &str, printed: &str) -> String {
    let text = format!(
        "{{{{ with pkiCert \"pki/issue/web\" \"common_name=app.example.com\" }}}}{printed}{{{{ .Key | writeToFile \
         \"{path}\" \"\" \"\" \"0400\" }}}}{{{{ end }}}}"
    );
    pod.template("cert.pem", &text, "perms = \"0644\"")
}

/// Leaf and authority of a text, when the leaf's key is that in the other text; nothing while it has other parts.
pub fn pair(certificates: &str, key: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let key_der = PrivateKeyDer::from_pem_slice(key.as_bytes()).ok()?;
    remember(key.lines().rev().nth(2)?);
    let public = rustls::crypto::ring::sign::any_supported_type(&key_der).ok()?.public_key()?.to_vec();
    let (mut leaves, mut authorities) = (Vec::new(), Vec::new());
    for der in CertificateDer::pem_slice_iter(certificates.as_bytes()) {
        let der = der.ok()?.to_vec();
        let (_, parsed) = X509Certificate::from_der(&der).ok()?;
        let (is_ca, fits) = (parsed.is_ca(), parsed.public_key().raw == public);
        match (is_ca, fits) {
            (true, _) => authorities.push(der),
            (false, true) => leaves.push(der),
            (false, false) => return None,
        }
    }
    Some((leaves.pop()?, authorities.pop().unwrap_or_default()))
}

/// The pair in a rendered bundle.
fn bundle(pod: &Pod) -> (Vec<u8>, Vec<u8>) {
    let text = pod.rendered("bundle").expect("a bundle");
    pair(&text, &text).expect("a certificate and its own key")
}

#[test]
fn a_certificate_comes_with_its_key_and_its_issuer() {
    each_server(|server| {
        engine(server, &json!({}));
        let pod = Pod::at(server);
        pod.agent(&once(&pod, server, &pod.template("bundle", BUNDLE, ""))).finish().expect(0);
        let (leaf, authority) = bundle(&pod);
        let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
        let (_, authority) = X509Certificate::from_der(&authority).unwrap();
        assert_eq!(leaf.subject().to_string(), "CN=app.example.com");
        assert_eq!(leaf.issuer(), authority.subject());
    });
}

#[test]
fn key_certificate_and_chain_go_to_files_of_their_own() {
    each_server(|server| {
        engine(server, &json!({}));
        let pod = Pod::at(server);
        let (key, chain) = (pod.text("secrets/tls/key.pem"), pod.text("secrets/tls/chain.pem"));
        let more = format!(
            "{{{{ .Cert }}}}{{{{ .Cert | writeToFile \"{chain}\" \"\" \"\" \"0644\" }}}}{{{{ range .CAChain }}}}\
             {{{{ . | writeToFile \"{chain}\" \"\" \"\" \"0644\" \"append\" }}}}{{{{ end }}}}"
        );
        pod.agent(&once(&pod, server, &with_key_file(&pod, &key, &more))).finish().expect(0);
        let read = |path: &str| fs::read_to_string(path).unwrap();
        let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let (leaf, _) = pair(&pod.rendered("cert.pem").unwrap(), &read(&key)).unwrap();
        let (chained, authority) = pair(&read(&chain), &read(&key)).unwrap();
        assert_eq!(leaf, chained);
        assert!(!authority.is_empty());
        assert_eq!((mode(&key), mode(&chain), pod.mode("cert.pem")), (0o400, 0o644, 0o644));
    });
}

#[test]
fn a_certificate_is_replaced_before_it_ends() {
    each_server(|server| {
        // The server dates certificates back by 30 s: nine tenths of their lifetime are over after 6 s.
        engine(server, &json!({"ttl": "10s"}));
        let pod = Pod::at(server);
        let config = format!("{}{}", pod.login(server, "pki"), pod.template("bundle", BUNDLE, ""));
        let agent = pod.agent(&config).start();
        let whole = |text: &str| pair(text, text).map(|(leaf, _)| leaf);
        let first = eventually("a certificate", || pod.rendered("bundle").as_deref().and_then(whole));
        eventually("the next certificate", || {
            pod.rendered("bundle").as_deref().and_then(whole).filter(|leaf| *leaf != first)
        });
        // It ends although it sleeps until the next one is due.
        agent.stop().expect(0);
        if server.is_dev() {
            let issued = server.asked("PUT", ISSUE).wait(2);
            let time = |entry: &Value| entry["time"].as_u64().expect("a time");
            assert!(
                issued.windows(2).all(|two| time(&two[1]) - time(&two[0]) >= 5),
                "replaced before it was due: {issued:?}"
            );
        }
    });
}

#[test]
fn a_good_pair_on_disk_survives_a_restart() {
    each_server(|server| {
        engine(server, &json!({}));
        for (name, templates) in [
            ("in one file", |pod: &Pod| pod.template("bundle", BUNDLE, "")),
            ("the key in a file of its own", |pod: &Pod| {
                with_key_file(pod, &pod.text("secrets/key.pem"), "{{ .Cert }}")
            }),
            ("in two templates", |pod: &Pod| {
                let part = |field: &str| BUNDLE.replace("{{ .Cert }}{{ .CA }}{{ .Key }}", field);
                pod.template("a", &part("{{ .Key }}"), "") + &pod.template("b", &part("{{ .Cert }}"), "")
            }),
        ] as [(&str, fn(&Pod) -> String); 3]
        {
            let pod = Pod::at(server);
            let config = once(&pod, server, &templates(&pod));
            pod.agent(&config).finish().expect(0);
            let all = || -> Vec<_> { pod.listing().iter().map(|name| pod.rendered(name)).collect() };
            let before = all();
            let ended = pod.agent(&config).finish().expect(0);
            assert!(before == all(), "{name}: changed");
            assert!(ended.all().contains("certificate on disk"), "{name}");
        }
    });
}

#[test]
fn a_restart_asks_for_nothing_when_the_pair_is_there() {
    on_dev("counts requests", |server| {
        engine(server, &json!({}));
        let pod = Pod::at(server);
        let config = once(&pod, server, &pod.template("bundle", BUNDLE, ""));
        for _ in 0..3 {
            pod.agent(&config).finish().expect(0);
        }
        assert_eq!(server.asked("PUT", ISSUE).count(), 1);
    });
}

#[test]
fn what_one_template_uses_no_other_ones_certificate_has_to_have() {
    on_dev("counts requests", |server| {
        engine(server, &json!({}));
        let pod = Pod::at(server);
        let other = BUNDLE.replace("app.", "other.");
        let templates = pod.template("whole", BUNDLE, "")
            + &pod.template("pair", &other.replace("{{ .CA }}", ""), "")
            + &pod.template(
                "public",
                &other.replace("other.", "third.").replace("{{ .CA }}{{ .Key }}", ""),
                "",
            );
        for _ in 0..3 {
            pod.agent(&once(&pod, server, &templates)).finish().expect(0);
        }
        assert_eq!(server.asked("PUT", ISSUE).count(), 3, "each certificate once, at the first start");
    });
}

#[test]
fn what_is_not_a_whole_good_pair_is_replaced_and_no_key_is_ever_empty() {
    each_server(|server| {
        engine(server, &json!({}));
        let pod = Pod::at(server);
        // The name of the key's file can't be read off the template, so the pair can't be found again.
        let key = pod.text("secrets/key.pem");
        let text = with_key_file(&pod, &key, "{{ .Cert }}");
        let hidden = text.replace(&format!("\\\"{key}\\\""), &format!("(printf \\\"{key}\\\")"));
        assert!(hidden.contains("printf"), "{hidden}");
        let config = once(&pod, server, &hidden);
        let mut leaves = BTreeSet::new();
        for _ in 0..2 {
            pod.agent(&config).finish().expect(0);
            let key = fs::read_to_string(&key).unwrap();
            leaves.insert(pair(&pod.rendered("cert.pem").unwrap(), &key).expect("a pair").0);
        }
        assert_eq!(leaves.len(), 2);

        // Another's certificate stands where ours should.
        let foreign = rcgen::generate_simple_self_signed(["other.example.com".to_owned()]).unwrap();
        let text = foreign.cert.pem() + &foreign.signing_key.serialize_pem();
        pod.write("secrets/bundle", &text);
        pod.agent(&once(&pod, server, &pod.template("bundle", BUNDLE, ""))).finish().expect(0);
        let (leaf, _) = bundle(&pod);
        let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
        assert_eq!(leaf.subject().to_string(), "CN=app.example.com");
    });
}

#[test]
fn two_templates_share_one_certificate() {
    on_dev("counts requests", |server| {
        engine(server, &json!({}));
        let pod = Pod::at(server);
        let part = |field: &str| BUNDLE.replace("{{ .Cert }}{{ .CA }}{{ .Key }}", field);
        let templates = pod.template("key.pem", &part("{{ .Key }}"), "")
            + &pod.template("cert.pem", &part("{{ .Cert }}"), "");
        pod.agent(&once(&pod, server, &templates)).finish().expect(0);
        assert!(pair(&pod.rendered("cert.pem").unwrap(), &pod.rendered("key.pem").unwrap()).is_some());
        assert_eq!(server.asked("PUT", ISSUE).count(), 1);
    });
}

#[test]
fn an_issuer_of_ended_certificates_is_asked_once_per_try() {
    on_dev("counts requests", |server| {
        // Nine tenths of the lifetime are over before it begins.
        engine(server, &json!({"ttl": "5s", "not_before_duration": "1h"}));
        let pod = Pod::at(server);
        let login = pod.login(server, "pki").replacen("vault {", "vault {\n  retry { num_retries = 2 }\n", 1);
        let config = format!(
            "exit_after_auth = true\n{login}template_config {{ exit_on_retry_failure = true }}\n{}",
            pod.template("bundle", BUNDLE, "")
        );
        let ended = pod.agent(&config).finish();
        assert_ne!(ended.code, Some(0));
        assert!(
            ended.all().contains("needs replacing already: 99 % of its 3605 s are over"),
            "{}",
            ended.all()
        );
        assert_eq!(server.asked("PUT", ISSUE).count(), 3, "the first try and two more");
        assert_eq!(pod.rendered("bundle"), None);
    });
}
