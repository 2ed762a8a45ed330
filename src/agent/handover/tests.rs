use std::fs;

use super::*;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own input file")]
fn app_roles_differ_by_role_id_and_by_place() {
    let folder = tempfile::tempdir().unwrap();
    let (role, secret) = (folder.path().join("role"), folder.path().join("secret"));
    let of = |id: &str| {
        fs::write(&role, id).unwrap();
        app_role_of(&role, Some(&secret))
    };
    let one = of("role-one");
    assert_ne!(one, of("role-two"));
    assert_eq!(one, of("role-one\n"), "white space is no part of it");
    assert!(!one.contains("role-one"), "the role ID itself stays where it is");
    let missing = folder.path().join("missing");
    assert_ne!(app_role_of(&missing, None), app_role_of(&missing, Some(&secret)));
    assert_ne!(app_role_of(&missing, None), app_role_of(&secret, None));
}
