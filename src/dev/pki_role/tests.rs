use super::*;

fn role(body: &str) -> Role {
    Role::new(&Fields::from_body(body.as_bytes()).unwrap()).unwrap()
}

#[test]
fn fields_take_the_type_of_their_default() {
    let role = role(
        r#"{"allow_subdomains":"true","allowed_domains":"a.example, b.example","max_ttl":"1h","key_bits":"384"}"#,
    );
    assert!(role.flag("allow_subdomains") && role.flag("server_flag"));
    assert_eq!(role.list("allowed_domains").collect::<Vec<_>>(), ["a.example", "b.example"]);
    assert_eq!(role.span("max_ttl"), Duration::from_secs(3600));
    assert_eq!(role.fields()["key_bits"], 384);
}

#[test]
fn names_are_allowed_by_domain() {
    let below = role(r#"{"allowed_domains":"example.com","allow_subdomains":true}"#);
    for (name, allowed) in [
        ("a.example.com", true),
        ("A.B.Example.com", true),
        ("*.example.com", true),
        ("me@a.example.com", true),
        ("localhost", true),
        ("example.com", false),
        ("badexample.com", false),
        ("a b.example.com", false),
        ("", false),
    ] {
        assert_eq!(below.allows(name), allowed, "{name}");
    }
    assert!(role(r#"{"allowed_domains":"example.com","allow_bare_domains":true}"#).allows("example.com"));
    assert!(
        role(r#"{"allowed_domains":"a-*.example.com","allow_glob_domains":true}"#).allows("a-1.example.com")
    );
    assert!(!role(r#"{"allow_any_name":true}"#).allows("a b"));
}
