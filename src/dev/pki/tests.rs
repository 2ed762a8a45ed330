use axum::body::to_bytes;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::Value;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    super::testing::{Bench, START},
    *,
};

async fn bench() -> Bench {
    let bench = Bench::new();
    bench.put("sys/mounts/pki", json!({"type": "pki"})).await;
    let (status, _) =
        bench.root("POST", "pki/root/generate/internal", json!({"common_name": "Root", "ttl": "24h"})).await;
    assert_eq!(status, 200);
    bench.root("POST", "pki/roles/any", json!({"allow_any_name": true, "ttl": "20s"})).await;
    let web = json!({"allowed_domains": "example.com", "allow_subdomains": true, "max_ttl": "1h"});
    bench.root("POST", "pki/roles/web", web).await;
    bench
}

fn der(pem: &Value) -> Vec<u8> {
    rustls::pki_types::CertificateDer::from_pem_slice(pem.as_str().unwrap().as_bytes()).unwrap().to_vec()
}

#[tokio::test(start_paused = true)]
async fn certificates_are_real_and_have_their_key() {
    let bench = bench().await;
    let wish =
        json!({"common_name": "x.example", "alt_names": "y.example,me@z.example", "ip_sans": "10.0.0.1"});
    let (status, answer) = bench.root("PUT", "pki/issue/any", wish).await;
    assert_eq!(status, 200, "{answer}");
    let data = &answer["data"];
    let (leaf, root) = (der(&data["certificate"]), der(&data["issuing_ca"]));
    let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
    let (_, root) = X509Certificate::from_der(&root).unwrap();
    assert!(root.is_ca() && !leaf.is_ca());
    assert_eq!(
        (leaf.issuer().to_string(), leaf.subject().to_string()),
        ("CN=Root".into(), "CN=x.example".into())
    );
    assert_eq!(leaf.validity().not_before.timestamp() as u64, START - 30);
    assert_eq!(leaf.validity().not_after.timestamp() as u64, START + 20);
    assert_eq!((&data["expiration"], &data["not_before"]), (&json!(START + 20), &json!(START - 30)));
    let names = leaf.subject_alternative_name().unwrap().unwrap().value.general_names.len();
    assert_eq!(names, 4);
    assert_eq!(data["serial_number"], leaf.raw_serial_as_string());
    assert_eq!(data["ca_chain"], json!([data["issuing_ca"]]));
    let pem = data["private_key"].as_str().unwrap();
    assert!(
        pem.starts_with("-----BEGIN EC PRIVATE KEY-----\n") && pem.ends_with("-----END EC PRIVATE KEY-----")
    );
    let (_, answer) =
        bench.root("PUT", "pki/issue/any", json!({"common_name": "x", "private_key_format": "pkcs8"})).await;
    let pkcs8 = answer["data"]["private_key"].as_str().unwrap();
    assert!(pkcs8.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    assert_eq!(&*key.public_key().unwrap(), leaf.public_key().raw);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_worded_as_the_originals() {
    let bench = bench().await;
    for (path, body, status, text) in [
        ("issue/none", json!({"common_name": "a"}), 400, "unknown role: none"),
        (
            "issue/web",
            json!({"common_name": "evil.org"}),
            400,
            "common name evil.org not allowed by this role",
        ),
        (
            "issue/web",
            json!({"common_name": "example.com"}),
            400,
            "common name example.com not allowed by this role",
        ),
        (
            "issue/web",
            json!({"common_name": "a.example.com", "alt_names": "b.evil.org"}),
            400,
            "subject alternate name b.evil.org not allowed by this role",
        ),
        (
            "issue/any",
            json!({"common_name": "x", "ip_sans": "boo"}),
            400,
            "the value \"boo\" is not a valid IP address",
        ),
        (
            "issue/any",
            json!({"common_name": "x", "ttl": "48h"}),
            400,
            "cannot satisfy request, as TTL would result in notAfter of 2023-11-16T22:13:20Z that is beyond the \
             expiration of the CA certificate at 2023-11-15T22:13:20Z",
        ),
        (
            "issue/any",
            json!({"common_name": "x", "format": "foo"}),
            400,
            "the \"format\" path parameter must be \"pem\", \"der\", or \"pem_bundle\"",
        ),
        ("roles/bad", json!({"key_type": "foo"}), 400, "unknown key type foo"),
        (
            "roles/bad",
            json!({"ttl": "2h", "max_ttl": "1h"}),
            400,
            "\"ttl\" value must be less than \"max_ttl\" value",
        ),
        ("revoke", json!({"serial_number": "00:11"}), 400, "certificate with serial 00:11 not found."),
        ("revoke", json!({}), 400, "The serial number or certificate to revoke must be provided."),
        ("nope", json!({}), 404, "1 error occurred:\n\t* unsupported path\n\n"),
    ] {
        let (found, answer) = bench.root("POST", &format!("pki/{path}"), body).await;
        assert_eq!((found, answer["errors"][0].as_str()), (status, Some(text)), "{path}");
    }
    assert_eq!(bench.root("GET", "pki/issue/any", Value::Null).await.0, 405);
    assert_eq!(bench.root("GET", "pki/roles/none", Value::Null).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_wish_beyond_the_maximum_is_cut_with_a_warning() {
    let bench = bench().await;
    let (_, answer) = bench.root("POST", "pki/issue/web", json!({"common_name": "a.example.com"})).await;
    let text = "TTL \"768h0m0s\" is longer than permitted maxTTL \"1h0m0s\", so maxTTL is being used";
    assert_eq!(answer["warnings"], json!([text]));
    assert_eq!(answer["data"]["expiration"], START + 3600);
}

#[tokio::test(start_paused = true)]
async fn certificates_are_public_listed_and_revoked() {
    let bench = bench().await;
    let (_, answer) = bench.root("POST", "pki/issue/any", json!({"common_name": "x"})).await;
    let serial = answer["data"]["serial_number"].as_str().unwrap().to_owned();
    let path = format!("pki/cert/{}", serial.replace(':', "-"));
    let (status, shown) = bench.ask("", "GET", &path, Value::Null).await;
    assert_eq!((status, &shown["data"]["certificate"]), (200, &answer["data"]["certificate"]));
    assert_eq!(shown["data"]["revocation_time"], 0);
    let (_, listed) = bench.root("LIST", "pki/certs", Value::Null).await;
    assert_eq!(listed["data"]["keys"].as_array().unwrap().len(), 2, "the root is among them");
    let (_, revoked) = bench.root("POST", "pki/revoke", json!({"serial_number": serial})).await;
    assert_eq!(
        (&revoked["data"]["state"], &revoked["data"]["revocation_time"]),
        (&json!("revoked"), &json!(START))
    );
    let (_, shown) = bench.ask("", "GET", &path, Value::Null).await;
    assert_eq!(shown["data"]["revocation_time"], START);
    let (_, ca) = bench.ask("", "GET", "pki/cert/ca", Value::Null).await;
    assert_eq!(ca["data"]["certificate"], answer["data"]["issuing_ca"]);
    let raw = bench.raw("GET", "/v1/pki/ca/pem", "", Value::Null).await;
    assert_eq!(raw.headers()["content-type"], "application/pem-certificate-chain");
    let text = to_bytes(raw.into_body(), 1 << 20).await.unwrap();
    assert_eq!(std::str::from_utf8(&text).unwrap(), ca["data"]["certificate"].as_str().unwrap());
    assert_eq!(bench.ask("", "PUT", "pki/issue/any", json!({"common_name": "x"})).await.0, 403);
}

#[tokio::test(start_paused = true)]
async fn without_a_root_there_is_nothing() {
    let bench = bench().await;
    let (_, gone) = bench.root("DELETE", "pki/root", Value::Null).await;
    assert_eq!(gone["warnings"], json!([ROOT_GONE]));
    for (method, path) in [("GET", "cert/ca"), ("POST", "issue/any")] {
        let (status, answer) = bench.root(method, &format!("pki/{path}"), json!({"common_name": "x"})).await;
        assert_eq!(
            (status, answer["errors"][0].as_str()),
            (400, Some("no default issuer currently configured"))
        );
    }
    assert_eq!(bench.root("GET", "pki/ca/pem", Value::Null).await.0, 204);
}
