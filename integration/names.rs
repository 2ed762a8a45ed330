//! The commands of the original that pods call, under its names: what we have works alike, the rest says what to use.

use serde_json::json;

use crate::harness::{
    Pod, Run, Secure, Server, canary, each_server, process::Finished, server::real_binaries,
};

/// A program called by one of its names, in a pod's home.
fn called(name: &str, pod: &Pod, args: &[&str]) -> Run {
    Run::decant(args.iter().copied()).called(name).env("HOME", pod.text("home"))
}

/// A token of a secure server, in the pod's home, where a sink would have put it.
fn token_in_home(server: &Secure, pod: &Pod) -> String {
    let made = server.ok("POST", "/v1/auth/token/create", &json!({"policies": ["default"], "ttl": "1h"}));
    let token = made["auth"]["client_token"].as_str().expect("a token").to_owned();
    canary::remember(&token);
    pod.write("home/.vault-token", &token);
    token
}

#[test]
fn the_injectors_pre_stop_line_revokes_the_sinks_token() {
    let server = Secure::start();
    let pod = Pod::new();
    let made = server.ok("POST", "/dev/v1/certificate", &json!({"common_name": "web"}));
    let text = |key: &str| made[key].as_str().expect("PEM");
    let (certificate, key) =
        (pod.write("client.pem", text("certificate")), pod.write("client.key", text("key")));
    let flags = [
        format!("-address={}", server.url()),
        format!("-ca-cert={}", server.ca()),
        format!("-client-cert={certificate}"),
        format!("-client-key={key}"),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let revoke = [&["token", "revoke"], flags.as_slice(), &["-self"]].concat();
    let lookup = [&["token", "lookup"], flags.as_slice()].concat();
    for name in ["vault", "bao", "decant"] {
        token_in_home(&server, &pod);
        // The token is shown to whoever holds it, as the original does: that output is not searched.
        let shown = Run::program(crate::harness::process::binary(), lookup.iter().copied());
        let shown = shown.env("HOME", pod.text("home")).finish().expect(0);
        assert!(shown.out.contains("\npolicies ") && shown.out.contains("[default]"), "{}", shown.out);
        let done = called(name, &pod, &revoke).finish().expect(0);
        assert_eq!(done.out, "Success! Revoked token (if it existed)\n");
        let gone = called(name, &pod, &lookup).finish().expect(2);
        assert!(gone.err.contains("Error looking up token"), "{}", gone.err);
    }
    if real_binaries().is_empty() {
        crate::harness::server::say(
            "not compared with a real client: no binary is named by BAO_BIN or VAULT_BIN",
        );
    }
    for binary in real_binaries() {
        let outcome = |run: Run| -> Finished { run.env("HOME", pod.text("home")).finish() };
        token_in_home(&server, &pod);
        let theirs = outcome(Run::program(binary.clone(), revoke.iter().copied()));
        assert_eq!((theirs.code, theirs.out.as_str()), (Some(0), "Success! Revoked token (if it existed)\n"));
        // A second time: the token is dead.
        let theirs = outcome(Run::program(binary.clone(), revoke.iter().copied()));
        let ours = outcome(Run::decant(revoke.iter().copied()));
        assert_eq!(ours.code, theirs.code, "ours: {}\ntheirs: {}", ours.err, theirs.all());
    }
}

#[test]
fn revoke_self_takes_the_token_of_the_environment_first() {
    each_server(|server: &Server| {
        let pod = Pod::new();
        let made = server.ok("POST", "auth/token/create", &json!({"policies": ["default"], "ttl": "1h"}));
        let token = made["auth"]["client_token"].as_str().expect("a token").to_owned();
        canary::remember(&token);
        pod.write("home/.vault-token", "of no use");
        let run = called("vault", &pod, &["token", "revoke", "-self"]);
        run.env("VAULT_ADDR", server.url()).env("VAULT_TOKEN", &token).finish().expect(0);
        let answer = server.call("GET", "/v1/auth/token/lookup-self", Some(&token), None);
        assert_eq!(answer.status, 403);
    });
}

#[test]
fn what_is_not_here_says_its_name_what_to_use_and_exits_with_64() {
    let pod = Pod::new();
    for (line, name) in [
        ("kv get -field=password secret/app", "kv get"),
        ("login -method=kubernetes role=app", "login"),
        ("status", "status"),
        ("read -format=json database/creds/app", "read"),
        ("write auth/kubernetes/login role=app", "write"),
        ("list secret/", "list"),
        ("token create", "token create"),
        ("token renew", "token renew"),
        ("unwrap x", "unwrap"),
        ("server -dev", "server"),
        ("proxy -config=x", "proxy"),
        ("operator unseal", "operator"),
    ] {
        for program in ["vault", "bao"] {
            let args: Vec<&str> = line.split(' ').collect();
            let refused = called(program, &pod, &args).finish().expect(64);
            assert!(refused.err.starts_with(&format!("decant has no command `{name}`\n")), "{}", refused.err);
            assert!(refused.err.contains("hint: ") && refused.out.is_empty(), "{}", refused.all());
        }
    }
}

#[test]
fn versions_and_help_have_all_their_spellings() {
    let pod = Pod::new();
    let number = env!("CARGO_PKG_VERSION");
    for (program, product) in [("vault", "Vault"), ("bao", "OpenBao")] {
        for word in ["version", "-version", "--version", "-v"] {
            let shown = called(program, &pod, &[word]).finish().expect(0);
            assert!(shown.out.starts_with(&format!("{product} v{number}")), "{}", shown.out);
        }
        for word in ["-help", "--help", "-h", "help"] {
            let shown = called(program, &pod, &[word]).finish().expect(0);
            assert!(shown.out.contains(&format!("Usage: {program} COMMAND")) && shown.err.is_empty());
        }
        for command in [&["agent"][..], &["token", "revoke"], &["token", "lookup"]] {
            let shown = called(program, &pod, &[command, &["-help"]].concat()).finish().expect(0);
            assert!(shown.out.contains(&format!("{program} {}", command.join(" "))), "{}", shown.out);
        }
    }
}

#[test]
fn generated_configurations_are_the_originals() {
    each_server(|server: &Server| {
        let pod = Pod::new();
        server.put("shop/db", &json!({"user": "u", "password": canary::canary("generated")}));
        server.put("shop/mail/out", &json!({"token": canary::canary("generated")}));
        server.put_v1("plain", &json!({"k": "v"}));
        let generate = |run: Run, file: &str| {
            let out = pod.text(file);
            let run = ["-type=env-template", "-exec=./app -x", "-path=secret/shop/*", "-path=kv/plain", &out]
                .into_iter()
                .fold(run, |run, arg| run.arg(arg));
            let run = run.env("HOME", pod.text("home")).env("VAULT_ADDR", server.url());
            let done = run.env("VAULT_TOKEN", crate::harness::server::ROOT).finish().expect(0);
            assert!(done.out.contains("Successfully generated"), "{}", done.all());
            std::fs::read_to_string(out).expect("the configuration")
        };
        let ours = generate(called("vault", &pod, &["agent", "generate-config"]), "ours.hcl");
        for part in [
            "\"DB_PASSWORD\"",
            "\"OUT_TOKEN\"",
            "\"PLAIN_K\"",
            "secret/data/shop/mail/out",
            "[\"./app\", \"-x\"]",
        ] {
            assert!(ours.contains(part), "no {part} in\n{ours}");
        }
        assert!(canary::leak_in(&ours).is_none(), "only names are written");
        for binary in real_binaries() {
            let theirs = generate(Run::program(binary, ["agent", "generate-config"]), "theirs.hcl");
            assert_eq!(ours, theirs);
        }
        let refused = |args: &[&str], code: i32, why: &str| {
            let args = [&["agent", "generate-config"], args].concat();
            let run = called("vault", &pod, &args).env("VAULT_ADDR", server.url());
            let done = run.env("VAULT_TOKEN", crate::harness::server::ROOT).finish().expect(code);
            assert!(done.err.contains(why), "{}", done.err);
        };
        refused(&["-path=kv/plain"], 1, "-type");
        refused(&["-type=env-template", "-path=kv/none", &pod.text("x")], 2, "secret not found");
        refused(&["-type=env-template", "-path=secret/*/x", &pod.text("x")], 2, "wildcard");
        refused(&["-type=env-template", "-path=kv/plain", "/nonexistent/x.hcl"], 3, "/nonexistent");
    });
}
