//! Names in an image that has another C library's configuration: a static program that asked its own C library there
//! would load modules that don't fit, and die.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use tempfile::TempDir;

use super::injected::{VAULT, template};
use crate::harness::{
    Container, Pod, Run, canary,
    container::{NEEDS, image},
    needing,
    server::Server,
};

/// As distributions with systemd have it.
const NSSWITCH: &str =
    "passwd: files systemd\ngroup: files systemd\nhosts: files myhostname resolve [!UNAVAIL=return] dns\n";

/// A module of the C library that doesn't fit: loading it is the end.
const MODULE: &str = "__attribute__((constructor)) static void loaded(void) { __builtin_trap(); }\n";

/// A static program that asks the C library.
const CONTROL: &str = "#include <netdb.h>\n#include <pwd.h>\n#include <stddef.h>\n\
    int main(int count, char **words) {\n\
      struct addrinfo *found;\n\
      if (words[1][0] == 'h') return getaddrinfo(\"vault.example\", NULL, NULL, &found) == 0;\n\
      return getpwnam(\"nosuch\") != NULL;\n\
    }\n";

/// A copy of the image's root with all that in it.
fn foreign() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let root = folder.path().join("root");
    let text = |path: &Path| path.display().to_string();
    Run::program("cp".into(), ["-a".to_owned(), text(&image("decant")), text(&root)]).finish().expect(0);
    write(&root.join("etc/nsswitch.conf"), NSSWITCH);
    let (module, control) = (folder.path().join("module.c"), folder.path().join("control.c"));
    write(&module, MODULE);
    write(&control, CONTROL);
    fs::create_dir(root.join("lib")).expect("a folder");
    for name in ["myhostname", "resolve", "systemd"] {
        let library = text(&root.join(format!("lib/libnss_{name}.so.2")));
        cc(&["-shared", "-fPIC", "-nostdlib", "-o", &library, &text(&module)]);
    }
    cc(&["-static", "-w", "-o", &text(&root.join("bin/control")), &text(&control)]);
    (folder, root)
}

#[expect(clippy::disallowed_methods, reason = "tests lay out files")]
fn write(path: &Path, contents: &str) {
    fs::write(path, contents).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn cc(args: &[&str]) {
    Run::program("cc".into(), args.iter().copied()).finish().expect(0);
}

#[test]
fn a_foreign_c_librarys_configuration_is_never_followed() {
    needing(NEEDS, || {
        let (_folder, root) = foreign();
        for what in ["hosts", "users"] {
            let ended = Container::at(&root).finish(&["/bin/control", what]);
            assert_eq!(ended.code, None, "the trap for {what} doesn't spring: {}", ended.all());
        }
        let server = Server::dev();
        let pod = Pod::at(&server);
        let password = canary("password");
        server.put("db", &json!({"password": password}));
        let show = "{{ with secret \"secret/data/db\" }}{{ .Data.data.password }}{{ end }}";
        let owned = "{{ with secret \"secret/data/db\" }}{{ .Data.data.password | writeToFile \"/vault/secrets/owned\" \
                     \"vault\" \"vault\" \"0400\" }}{{ end }}";
        let container = |address: &str, templates: &[serde_json::Value]| {
            let mut container = VAULT.configured(&pod, &VAULT.config(address, true, templates));
            container = container.at_root(&root).env("DECANT_INIT_DEADLINE", "1s");
            container
        };
        let line = VAULT.start_line();

        // A name that is built in, and a user that the image knows.
        let address = server.url().replace("127.0.0.1", "localhost");
        let templates = [template("db", show, &json!({})), template("owner", owned, &json!({}))];
        container(&address, &templates).finish(&["/bin/sh", "-ec", &line]).expect(0);
        assert_eq!(pod.rendered("db").as_ref(), Some(&password));
        assert_eq!(pod.rendered("owned").as_ref(), Some(&password));

        // Names that nobody knows are an error with words.
        let nobody = owned.replace("\"vault\" \"vault\"", "\"nosuch\" \"nosuch\"");
        let ended =
            container(&address, &[template("owner", &nobody, &json!({}))]).finish(&["/bin/sh", "-ec", &line]);
        assert!(ended.code.is_some() && ended.err.contains("nosuch"), "{}", ended.all());
        let ended = container("http://vault.example:8200", &templates).finish(&["/bin/sh", "-ec", &line]);
        assert!(ended.code.is_some() && ended.err.contains("vault.example"), "{}", ended.all());
        let revoke = ["/bin/vault", "token", "revoke", "-address=http://vault.example:8200", "-self"];
        let ended = container(&address, &[]).env("VAULT_TOKEN", canary("token")).finish(&revoke).expect(2);
        assert!(ended.err.contains("vault.example"), "{}", ended.all());

        // No command dies of a signal, whatever it says.
        for command in [
            "version",
            "help",
            "init -address=http://vault.example:8200",
            "sidecar -address=http://vault.example:8200",
            "token lookup -address=http://vault.example:8200",
            "healthcheck",
            "doctor",
            "render",
            "kv get x",
        ] {
            let words: Vec<&str> = ["/bin/decant"].into_iter().chain(command.split(' ')).collect();
            let ended = container(&address, &[]).env("VAULT_TOKEN", canary("token")).finish(&words);
            assert!(ended.code.is_some_and(|code| code < 126), "{command}: {}", ended.all());
        }
    });
}
