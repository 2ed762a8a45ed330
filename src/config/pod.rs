//! A pod's annotations, with files, environment and flags beside them, to one [`Config`]: what `init` and `sidecar` do.

use std::path::{Path, PathBuf};

use super::{
    Config, annotation,
    downward::{self, Annotations, DownwardError},
    env::Environment,
    load,
    raw::{Raw, RawTemplate},
    resolve::{self, Draft},
};
use crate::{
    origin::{Origin, Sourced},
    problem::Problem,
};

/// Reads the annotations file and the files named with `-config`, and makes the configuration as [`resolve()`] does.
///
/// # Errors
/// As [`resolve()`], and whatever can't be read.
pub fn load(
    annotations: &Path,
    files: &[PathBuf],
    flags: Raw,
    environment: &Environment,
) -> Result<Option<Config>, Vec<Problem>> {
    let found = downward::read(annotations);
    let files = load::load(files);
    let (found, files) = match (found, files) {
        (Ok(found), Ok(files)) => (found, files),
        (found, files) => {
            let mut problems: Vec<Problem> =
                found.as_ref().err().map(DownwardError::problems).unwrap_or_default();
            if let Err(DownwardError::Damaged { damage, .. }) = &found {
                problems.extend(problems_of_the_rest(&damage.rest, files.as_ref().ok(), flags, environment));
            }
            problems.extend(files.err().unwrap_or_default());
            return Err(problems);
        }
    };
    // Only a warning: files may say all.
    let odd = found.oddity(annotations);
    match resolve(&found, files, flags, environment) {
        Ok(config) => Ok(config.map(|mut config| {
            config.warnings.extend(odd);
            config
        })),
        Err(problems) => Err(odd.into_iter().chain(problems).collect()),
    }
}

/// Makes the configuration of `init` and `sidecar`. Flags count before the environment, that before annotations,
/// those before `files`; `None`: the pod has switched the agent off with `agent-inject`.
///
/// # Errors
/// Everything that can't be used, in whatever source, and all warnings.
pub fn resolve(
    annotations: &Annotations,
    files: Raw,
    flags: Raw,
    environment: &Environment,
) -> Result<Option<Config>, Vec<Problem>> {
    draft(annotations, files, flags, environment).map(Draft::usable).transpose()
}

/// As [`resolve()`], as far as it goes.
pub fn draft(annotations: &Annotations, files: Raw, flags: Raw, environment: &Environment) -> Option<Draft> {
    make(annotations, files, flags, environment, Source::Whole)
}

/// Everything wrong beside the lines that can't be read, so that it is all said at once. What seems to be missing may
/// stand in one of these lines.
fn problems_of_the_rest(
    rest: &Annotations,
    files: Option<&Raw>,
    flags: Raw,
    environment: &Environment,
) -> Vec<Problem> {
    let files = files.cloned().unwrap_or_default();
    let draft = make(rest, files, flags, environment, Source::Damaged);
    draft.and_then(|draft| draft.usable().err()).unwrap_or_default()
}

/// Whether all that the pod's author wrote could be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Whole,
    Damaged,
}

fn make(
    annotations: &Annotations,
    files: Raw,
    flags: Raw,
    environment: &Environment,
    source: Source,
) -> Option<Draft> {
    let (asked, mut problems) = annotation::read(annotations);
    if asked.switched_off {
        return None;
    }
    let mut raw = annotation::over(files, asked.raw);
    let incomplete = annotation::complete(&mut raw).err();
    if incomplete.is_some() {
        stand_in_for_role(&mut raw);
    }
    let idle = asks_for_nothing(&raw);
    if idle {
        stand_in_for_templates(&mut raw);
    }
    if source == Source::Whole && !raw.unreadable.lacks_stanza() {
        problems.extend(incomplete.filter(|_| !method_is_torn(&raw)));
        problems.extend(idle.then(nothing));
    }
    let Draft { mut config, problems: more } = resolve::draft(raw, flags, environment);
    if idle {
        config.templates.clear();
    }
    problems.extend(more);
    Some(Draft { config, problems })
}

/// Whether the login method has settings that can't be read; its role may be one of them.
fn method_is_torn(raw: &Raw) -> bool {
    let method = raw.auto_auth.as_ref().and_then(|login| login.method.as_ref());
    method.is_some_and(|method| raw.unreadable.tore(&method.origin))
}

/// The missing role is known already; the other checks go on and shall not find it once more.
fn stand_in_for_role(raw: &mut Raw) {
    if let Some(method) = raw.auto_auth.as_mut().and_then(|login| login.method.as_mut()) {
        method.config.insert("role".to_owned(), Sourced::new("missing".to_owned(), Origin::Default));
    }
}

/// As [`stand_in_for_role`], for the templates.
fn stand_in_for_templates(raw: &mut Raw) {
    let text = |text: &str| Some(Sourced::new(text.to_owned(), Origin::Default));
    let missing = RawTemplate::new(Origin::Default);
    raw.templates.push(RawTemplate { contents: text("none"), destination: text("/none"), ..missing });
}

fn asks_for_nothing(raw: &Raw) -> bool {
    let sinks = raw.auto_auth.as_ref().is_some_and(|login| !login.sinks.is_empty());
    raw.templates.is_empty() && !sinks
}

fn nothing() -> Problem {
    Problem::error("the pod asks for no secret")
        .expected("an annotation like vault.hashicorp.com/agent-inject-secret-db: kv/data/db")
        .hint("docs/annotations.md lists all annotations; `agent-inject: \"false\"` switches decant off")
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write as _};

    use insta::assert_snapshot;

    use super::*;
    use crate::{
        config::{
            MethodKind, hcl, stanza,
            template::{Dialect, Format, TemplateSource},
        },
        problem::list,
    };

    fn of(
        said: &[(&str, &str)],
        file: &str,
        flags: Raw,
        environment: &Environment,
    ) -> Result<Option<Config>, String> {
        let annotations =
            said.iter().map(|(name, value)| (format!("vault.hashicorp.com/{name}"), *value)).collect();
        let files = hcl::parse(file.as_bytes()).unwrap();
        let files = stanza::read(&files, &Path::new("/c.hcl").into());
        resolve(&annotations, files, flags, environment)
            .map_err(|problems| list("the configuration can't be used", &problems))
    }

    fn config(said: &[(&str, &str)]) -> Config {
        of(said, "", Raw::default(), &Environment::default()).unwrap().unwrap()
    }

    fn refused(said: &[(&str, &str)]) -> String {
        of(said, "", Raw::default(), &Environment::default()).unwrap_err()
    }

    const ROLE: (&str, &str) = ("role", "r");
    const SECRET: (&str, &str) = ("agent-inject-secret-db", "kv/db?version=2");

    #[test]
    fn annotations_alone_are_enough() {
        let config = config(&[ROLE, SECRET]);
        let login = config.auto_auth.unwrap();
        let MethodKind::Kubernetes { role, token_path } = login.method.kind else { panic!() };
        assert_eq!((role.as_str(), login.method.mount_path.as_str()), ("r", "auth/kubernetes"));
        assert_eq!(token_path, Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token"));
        assert!(login.sinks.is_empty(), "no token file unless the pod asks for one");
        let TemplateSource::Default { path, params, .. } = &config.templates[0].source else { panic!() };
        assert_eq!((path.as_str(), params.len()), ("kv/db", 1));
        assert!(config.template_config.exit_on_retry_failure);
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }

    #[test]
    fn a_secret_has_a_format_or_a_dialect_of_its_own() {
        let said = [
            ("vault.hashicorp.com/role", "r"),
            ("vault.hashicorp.com/agent-inject-secret-db", "kv/db"),
            ("decant/format-db", "dotenv"),
            ("openbao.org/agent-inject-template-app", "{{#with (secret \"kv/app\")}}{{user}}{{/with}}"),
            ("decant/dialect-app", "handlebars"),
            ("decant/partials-path", "/partials"),
        ];
        let config = resolve(
            &said.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            Raw::default(),
            Raw::default(),
            &Environment::default(),
        );
        let config = config.unwrap_or_else(|problems| panic!("{}", list("x", &problems))).unwrap();
        let [app, db] = config.templates.as_slice() else { panic!("{:?}", config.templates) };
        assert_eq!(app.dialect, Dialect::Handlebars);
        assert_eq!(app.partials_path.as_deref(), Some(Path::new("/partials")));
        assert!(matches!(&db.source, TemplateSource::Formatted { format: Format::Dotenv, .. }), "{db:?}");
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }

    #[test]
    fn flags_beat_environment_beats_annotations_beat_files() {
        let said = [ROLE, SECRET, ("service", "http://annotation"), ("log-level", "warn")];
        let file = "vault { address = \"http://file\" ca_cert = \"/file\" }";
        let address = |flags: Raw, environment: &Environment| {
            let config = of(&said, file, flags, environment).unwrap().unwrap();
            assert_eq!(config.vault.tls.ca_cert.as_deref(), Some(Path::new("/file")));
            config.vault.address
        };
        let mut flags = Raw::default();
        flags.vault.address = Some(Sourced::new("http://flag".to_owned(), Origin::Flag("-address".into())));
        let environment = Environment::from([("VAULT_ADDR", "http://env")]);
        assert_eq!(address(flags, &environment), "http://flag");
        assert_eq!(address(Raw::default(), &environment), "http://env");
        assert_eq!(address(Raw::default(), &Environment::default()), "http://annotation");
    }

    #[test]
    fn a_proxy_annotation_stands_for_the_variable() {
        let said = [ROLE, SECRET, ("proxy-address", "http://annotation")];
        let proxy = |environment: &Environment| {
            let config = of(&said, "", Raw::default(), environment).unwrap().unwrap();
            config.vault.proxy.env.values().next().cloned().unwrap()
        };
        assert_eq!(proxy(&Environment::default()), "http://annotation");
        assert_eq!(proxy(&Environment::from([("https_proxy", "http://env")])), "http://env");
    }

    #[test]
    fn a_file_adds_its_templates() {
        let file = "template { contents = \"T\" destination = \"/x\" }";
        let config = of(&[ROLE, SECRET], file, Raw::default(), &Environment::default()).unwrap().unwrap();
        assert_eq!(config.templates.len(), 2);
    }

    #[test]
    fn the_switch_stops_everything_even_mistakes() {
        let said = [("agent-inject", "false"), ("tls-skip-verify", "oops")];
        assert!(of(&said, "", Raw::default(), &Environment::default()).unwrap().is_none());
    }

    #[test]
    fn message_for_a_pod_without_secrets() {
        assert_snapshot!(refused(&[ROLE]), @r#"
        the configuration can't be used:
        - the pod asks for no secret
            expected: an annotation like vault.hashicorp.com/agent-inject-secret-db: kv/data/db
            hint: docs/annotations.md lists all annotations; `agent-inject: "false"` switches decant off
        "#);
    }

    #[test]
    fn message_for_mistakes_in_every_source() {
        let environment = Environment::from([("VAULT_CLIENT_TIMEOUT", "long")]);
        let said = [
            ("agent-inject-secret-a", "x/../y"),
            ("agent-inject-secret-b", "p"),
            ("agent-inject-token", "on"),
            ("agent-inject-perms-b", "999"),
        ];
        assert_snapshot!(of(&said, "", Raw::default(), &environment).unwrap_err(), @r#"
        the configuration can't be used, 5 problems:
        - annotation vault.hashicorp.com/agent-inject-perms-b: the value "999" is not right
            expected: an octal file mode, for instance "0640"
        - annotation vault.hashicorp.com/agent-inject-token: the value "on" is not right
            expected: true or false (also 1, t, T, TRUE, True, 0, f, F, FALSE, False), without blanks
        - no Vault role found
            expected: the annotation vault.hashicorp.com/role with the role to log in with
            hint: the role of the mount auth/kubernetes, bound to the pod's service account
        - environment variable VAULT_CLIENT_TIMEOUT: the value can't be read
            expected: a duration, for instance "30s", "1h30m", "250ms", "2d", or a number of seconds
        - annotation vault.hashicorp.com/agent-inject-secret-a: the path of the secret can't be used: the path has a segment `..`
            expected: a path like secret/data/app
        "#);
    }

    #[test]
    fn message_for_a_method_that_is_not_there() {
        assert_snapshot!(refused(&[SECRET, ("auth-type", "kubernets"), ROLE]), @r"
        the configuration can't be used:
        - annotation vault.hashicorp.com/auth-type: there is no method `kubernets`
            expected: one of approle, cert, jwt, kubernetes, token_file
            hint: did you mean `kubernetes`?
        ");
    }

    #[test]
    fn warning_for_two_secrets_in_one_file() {
        let config = config(&[ROLE, ("agent-inject-secret-Db", "p"), ("agent-inject-template-db", "T")]);
        assert_snapshot!(config.warnings[0].to_string(), @r"
        annotation vault.hashicorp.com/agent-inject-template-db: two templates write /vault/secrets/db
          hint: the other one is at annotation vault.hashicorp.com/agent-inject-secret-Db; the file will hold now one, now the other
        ");
    }

    /// Loads a folder with these files; the folder's name is left out of what is said.
    fn loaded(files: &[(&str, &str)]) -> Result<Option<Config>, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            File::create(folder.path().join(name)).unwrap().write_all(text.as_bytes()).unwrap();
        }
        let configs: Vec<PathBuf> = files
            .iter()
            .map(|(name, _)| folder.path().join(name))
            .filter(|path| path.extension().is_some())
            .collect();
        load(&folder.path().join("annotations"), &configs, Raw::default(), &Environment::default()).map_err(
            |problems| list("no", &problems).replace(folder.path().to_str().unwrap(), "/etc/podinfo"),
        )
    }

    #[test]
    fn files_on_disk_are_read_and_an_empty_pod_is_only_odd_when_a_file_says_all() {
        let said = "vault.hashicorp.com/role=\"r\"\nvault.hashicorp.com/agent-inject-secret-x=\"kv/x\"";
        assert_eq!(loaded(&[("annotations", said)]).unwrap().unwrap().templates.len(), 1);
        assert!(loaded(&[("annotations", "openbao.org/agent-inject=\"false\"")]).unwrap().is_none());
        let file = "auto_auth { method \"kubernetes\" { config = { role = \"r\" } } }\n\
                    template { contents = \"T\" destination = \"/x\" }";
        let config = loaded(&[("annotations", ""), ("c.hcl", file)]).unwrap().unwrap();
        assert_eq!(config.warnings.len(), 1);
    }

    #[test]
    fn message_for_a_damaged_file_with_other_mistakes() {
        let said = "vault.hashicorp.com/agent-inject-perms-x=\"rw\"\nvault.hashicorp.com/role=\"r\n\
                    vault.hashicorp.com/agent-inject-secret-x=\"kv/../x\"";
        assert_snapshot!(loaded(&[("annotations", said)]).unwrap_err(), @r#"
        no, 3 problems:
        - /etc/podinfo/annotations:2:28: annotation vault.hashicorp.com/role: the closing quote is missing
            expected: one line for each annotation: its name, `=`, and the value in quotes as Go's %q writes it
            hint: the kubelet writes this file from the pod's annotations; a copy of it has to be whole
        - annotation vault.hashicorp.com/agent-inject-perms-x: the value "rw" is not right
            expected: an octal file mode, for instance "0640"
        - annotation vault.hashicorp.com/agent-inject-secret-x: the path of the secret can't be used: the path has a segment `..`
            expected: a path like secret/data/app
        "#);
    }

    #[test]
    fn message_for_files_that_can_not_be_read() {
        assert_snapshot!(loaded(&[("c.hcl", "vault {")]).unwrap_err(), @r"
        no, 2 problems:
        - the volume at /etc/podinfo has no file `annotations`
            expected: an item `annotations` with fieldRef metadata.annotations in that downwardAPI volume
            hint: name the item so, or name the right file with --annotations
        - /etc/podinfo/c.hcl:1:8: found the end of the file
            expected: `}` for the block that begins at line 1, column 7
        ");
        assert_snapshot!(loaded(&[("annotations", "a=\"b\"")]).unwrap_err(), @r#"
        no, 2 problems:
        - no Vault role found
            expected: the annotation vault.hashicorp.com/role with the role to log in with
            hint: the role of the mount auth/kubernetes, bound to the pod's service account
        - the pod asks for no secret
            expected: an annotation like vault.hashicorp.com/agent-inject-secret-db: kv/data/db
            hint: docs/annotations.md lists all annotations; `agent-inject: "false"` switches decant off
        - warning: /etc/podinfo/annotations has no annotation that decant reads
            expected: names that begin with vault.hashicorp.com/, openbao.org/, decant/
            hint: annotate the pod (spec.template.metadata of a Deployment, not its own metadata)
        "#);
    }
}
