use std::time::Duration;

use insta::assert_snapshot;
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::config::raw::Said;
#[cfg(feature = "laptop")]
use crate::laptop::input::Form;

/// A command line in one string, words between blanks.
fn line(text: &str) -> Result<Command, Usage> {
    parse(&text.split_whitespace().map(OsString::from).collect::<Vec<_>>(), &Environment::default())
}

fn agent(text: &str) -> AgentOptions {
    match line(text).unwrap() {
        Command::Agent(options) => options,
        other => panic!("{other:?}"),
    }
}

fn pod(text: &str) -> PodOptions {
    match line(text).unwrap() {
        Command::Init(options) | Command::Sidecar(options) => options,
        other => panic!("{other:?}"),
    }
}

fn printed(text: &str) -> String {
    match line(text).unwrap() {
        Command::Print(text) => text,
        other => panic!("{other:?}"),
    }
}

fn refused(text: &str) -> (u8, String) {
    let usage = line(text).unwrap_err();
    (usage.exit_code, usage.message)
}

fn said<T>(said: Said<T>) -> (T, String) {
    said.map(|said| (said.value, said.origin.to_string())).unwrap()
}

#[test]
fn the_agent_takes_every_flag_of_the_original() {
    let options = agent(
        "vault agent -config=a -config b --exit-after-auth -log-level=debug -log-format json -log-file=/l \
         -log-rotate-bytes=0x10 -log-rotate-duration=1h -log-rotate-max-files=-1 -combine-logs -test-verify-only \
         -disable-gated-logs -address=http://a -address=http://b -agent-address=http://x -ca-cert=/c -ca-path=/d \
         -client-cert=/e -client-key=/f -tls-server-name=n -tls-skip-verify -namespace=long -ns=short \
         -disable-redirects -policy-override -wrap-ttl=5 -mfa=a -mfa=b -unlock-key=k -output-curl-string \
         -output-policy -non-interactive -header=a=b",
    );
    assert_eq!(options.configs, [PathBuf::from("a"), PathBuf::from("b")]);
    assert!(options.combine_logs && options.verify_only);
    let raw = *options.flags;
    assert_eq!(said(raw.vault.address), ("http://b".into(), "flag -address".into()));
    assert_eq!(said(raw.vault.namespace), ("short".into(), "flag -ns".into()));
    assert!(said(raw.vault.tls_skip_verify).0 && said(raw.exit_after_auth).0);
    assert_eq!((said(raw.log.rotate_bytes).0, said(raw.log.rotate_max_files).0), (16, -1));
    assert_eq!(said(raw.log.rotate_duration).0, Duration::from_secs(3600));
    assert_eq!(raw.warnings.len(), 1, "{:?}", raw.warnings);
}

#[test]
fn a_flag_that_is_not_given_says_nothing() {
    let options = agent("decant agent -config=a");
    assert_eq!(*options.flags, Raw::default());
    assert!(!options.combine_logs && !options.verify_only);
    let off = agent("decant agent -config=a -exit-after-auth=false -address=");
    assert_eq!((said(off.flags.exit_after_auth).0, said(off.flags.vault.address).0), (false, String::new()));
}

#[test]
fn the_configuration_may_come_from_openbaos_variable() {
    let argv = ["bao", "agent"].map(OsString::from);
    let environment = Environment::from([("BAO_AGENT_CONFIG_PATH", "a,b")]);
    let Command::Agent(options) = parse(&argv, &environment).unwrap() else { panic!() };
    assert_eq!(options.configs, [PathBuf::from("a"), PathBuf::from("b")]);
}

#[test]
fn words_behind_the_agents_flags_are_ignored_with_a_warning() {
    let options = agent("vault agent -config=a -exit-after-auth true -log-level=debug");
    assert_eq!(options.flags.log.level, None);
    assert_snapshot!(options.flags.warnings[0].to_string(), @r"
    `true` is no flag: it and all behind it is ignored
      hint: a boolean flag takes its value with `=`, for instance -exit-after-auth=true
    ");
}

#[test]
fn init_and_sidecar_know_their_files_and_our_own_settings() {
    let plain = pod("decant init");
    assert_eq!((plain.annotations, plain.configs), (PathBuf::from(ANNOTATIONS), vec![]));
    let all = pod(
        "decant sidecar --annotations /a -config=/c -config=/d --init-deadline 90s --revoke-on-exit --pid-file=/p \
         -address https://v -log-level=warn",
    );
    assert_eq!((all.annotations, all.configs.len()), (PathBuf::from("/a"), 2));
    assert_eq!(said(all.flags.own.init_deadline), (Duration::from_secs(90), "flag -init-deadline".into()));
    assert!(said(all.flags.own.revoke_on_exit).0);
    assert_eq!(said(all.flags.pid_file).0, "/p");
    assert!(matches!(line("decant init"), Ok(Command::Init(_))));
    assert!(matches!(line("decant sidecar"), Ok(Command::Sidecar(_))));
}

#[cfg(feature = "dev")]
#[test]
fn dev_and_demo_are_read_and_the_root_token_is_not_shown() {
    let Command::Dev(options) = line("decant dev --listen 127.0.0.1:0 --root-token canary").unwrap() else {
        panic!()
    };
    assert_eq!(options.listen.port(), 0);
    assert_eq!(options.root_token.as_ref().unwrap().expose_secret(), "canary");
    assert!(!format!("{options:?}").contains("canary"));
    let Command::Dev(plain) = line("decant dev").unwrap() else { panic!() };
    assert_eq!((plain.listen.to_string(), plain.root_token.is_none()), ("127.0.0.1:8200".into(), true));
    assert!(matches!(line("decant demo"), Ok(Command::Demo)));
}

#[test]
fn the_injectors_pre_stop_hook_is_understood() {
    let hook =
        "/bin/vault token revoke -address=https://v:8200 -ca-cert=/c -client-cert=/d -client-key=/e -self";
    let Command::TokenRevokeSelf { flags } = line(hook).unwrap() else { panic!() };
    assert_eq!(said(flags.vault.address).0, "https://v:8200");
    assert_eq!(refused("vault token revoke").0, 1);
    assert_eq!(refused("vault token revoke -self=false").0, 1);
    assert_eq!(refused("vault token revoke -self hvs.x").0, 64);
    assert_eq!(refused("vault token revoke -accessor x").0, 64);
}

#[test]
fn lookup_takes_a_token_and_a_format_and_shows_neither_in_debug() {
    let Command::TokenLookup { token, format, .. } = line("vault token lookup -format=json canary").unwrap()
    else {
        panic!()
    };
    assert_eq!(
        (token.as_ref().map(ExposeSecret::expose_secret), format),
        (Some("canary"), OutputFormat::Json)
    );
    assert!(!format!("{:?}", line("vault token lookup canary")).contains("canary"));
    assert_eq!(refused("vault token lookup -format=yaml").0, 1);
    assert_eq!(refused("vault token lookup -accessor x").0, 64);
    assert!(!refused("vault token lookup canary-1 canary-2").1.contains("canary"));
}

#[test]
fn the_version_is_printed_in_every_spelling_under_the_name_called() {
    let number = env!("CARGO_PKG_VERSION");
    for spelling in ["version", "-version", "--version", "-v"] {
        assert_eq!(printed(&format!("decant {spelling}")), format!("decant v{number}\n"));
    }
    assert_eq!(printed("/bin/vault version"), format!("Vault v{number} (decant)\n"));
    assert_eq!(printed("./bao -version"), format!("OpenBao v{number} (decant)\n"));
}

#[test]
fn every_command_explains_itself_with_an_example() {
    for spec in COMMANDS {
        let help = printed(&format!("decant {} --help", spec.name));
        assert!(help.contains("Examples:") && help.contains(&format!("decant {}", spec.name)), "{help}");
        assert_eq!(help, printed(&format!("decant help {}", spec.name)));
        assert!(help.lines().all(|line| line.chars().count() <= 125), "{help}");
        if spec.name != "version" {
            assert!(printed("decant help").contains(spec.about_line()), "{}", spec.name);
        }
    }
    assert_eq!(printed("vault -h"), printed("vault help"));
    assert!(printed("vault agent -help").contains("vault agent -config="));
}

#[test]
fn help_of_init() {
    assert_snapshot!(printed("decant init -h"), @r"
    Render what the pod's annotations ask for, then exit (init container)

    Reads the annotations that an injector would read from a downward-API file, logs in, writes all
    files, and exits. Needs no injector; docs/annotations.md lists the annotations.

    Exit codes: 0 done, 2 wrong configuration, 3 login failed, 4 denied or missing secret, 5
    deadline passed, 6 a file or command failed.

    Usage: decant init [FLAGS]

    Options:
          --annotations=<FILE>
              The pod's annotations, from a downward-API volume [default: /etc/podinfo/annotations]

          --config=<PATH>
              Configuration file or folder that adds to the annotations; may be given several times

          --pid-file=<PATH>
              Keep the process id in this file while running

          --init-deadline=<DURATION>
              Give up when the first render of everything takes longer than this [default: none] [env: DECANT_INIT_DEADLINE]

          --revoke-on-exit[=<BOOL>]
              Revoke the own token on stop and on a failed start [default: false] [env: DECANT_REVOKE_ON_EXIT]

          --partials-path=<PATH>
              Folder of Handlebars partials, files NAME.hbs [default: none] [env: DECANT_PARTIALS_PATH]

          --handover=<FOLDER>
              Folder for init to leave its token and leases in, or off [default: /vault/agent-cache] [env: DECANT_HANDOVER]

          --status-listen=<ADDRESS>
              Serve probes and metrics at this loopback address or unix socket [default: none] [env: DECANT_STATUS_LISTEN]

          --status-socket=<PATH>
              Socket for healthcheck, or off [default: beside the pid file or in HOME; agent: none] [env: DECANT_STATUS_SOCKET]

          --ready-file=<PATH>
              A file that is there while everything is rendered and valid [default: none] [env: DECANT_READY_FILE]

          --address=<URL>
              Address of the server [default: https://127.0.0.1:8200] [env: VAULT_ADDR]

          --ca-cert=<PATH>
              PEM file with the CAs to trust [env: VAULT_CACERT]

          --ca-path=<PATH>
              Folder with PEM files of CAs to trust [env: VAULT_CAPATH]

          --client-cert=<PATH>
              PEM file with the client certificate [env: VAULT_CLIENT_CERT]

          --client-key=<PATH>
              PEM file with the key of the client certificate [env: VAULT_CLIENT_KEY]

          --tls-server-name=<NAME>
              Name to verify instead of the address's host [env: VAULT_TLS_SERVER_NAME]

          --tls-skip-verify[=<BOOL>]
              Trust any certificate; not for production [env: VAULT_SKIP_VERIFY]

          --namespace=<NAME>
              Namespace of all requests [env: VAULT_NAMESPACE]

          --log-level=<LEVEL>
              Lowest level to log: trace, debug, info, warn, error [default: info] [env: VAULT_LOG_LEVEL]

          --log-format=<FORMAT>
              standard or json [default: standard] [env: VAULT_LOG_FORMAT]

      -h, --help
              Print this text

    Examples:
      In a pod with the downward-API volume mounted at /etc/podinfo:
        decant init

      Give up after a minute, with settings of the cluster in a file:
        decant init -config=/etc/decant.hcl --init-deadline 60s
    ");
}

#[cfg(not(any(feature = "dev", feature = "laptop")))]
#[test]
fn the_small_build_offers_what_it_has_and_says_which_build_has_the_rest() {
    for name in ["dev", "demo", "render", "check"] {
        assert!(!printed("decant help").contains(&format!("\n  {name} ")), "{name}");
        for line in [format!("decant {name} --help"), format!("decant help {name}")] {
            let (code, message) = refused(&line);
            assert_eq!(code, 64, "{line}");
            assert!(
                message.starts_with(&format!("this build of decant has no command `{name}`")),
                "{line}: {message}"
            );
            assert!(message.contains("the full build has it"), "{line}: {message}");
        }
    }
}

#[cfg(all(feature = "dev", feature = "laptop"))]
#[test]
fn help_without_a_command() {
    assert_snapshot!(refused("decant").1, @r"
    decant logs in to Vault or OpenBao, writes secrets into files, and keeps them fresh.

    Usage: decant COMMAND [FLAGS]

    Commands:
      agent                  Take the place of `vault agent`: same configuration, same files
      agent generate-config  Write a configuration with a variable for each key of some secrets
      init                   Render what the pod's annotations ask for, then exit (init container)
      sidecar                Render what the pod's annotations ask for and keep it fresh (sidecar)
      render                 Show what templates render to, with secrets from a server or from a file
      check                  Find mistakes in templates, configurations and manifests; list requests and their policy
      dev                    Run a Vault-compatible server in memory, for laptops and tests
      demo                   Show the whole story on this machine in about ten seconds
      healthcheck            Ask the running agent whether it is ready (exec probe, no shell needed)
      token revoke           Revoke the token it is called with (-self)
      token lookup           Show policies, times and metadata of a token
      version                Print the version
      help                   Explain a command

    Flags take one dash or two, and their values behind `=` or a blank. `decant COMMAND --help` explains each.
    ");
}

#[cfg(feature = "laptop")]
#[test]
fn render_and_check_take_files_and_flags_in_any_order() {
    let Command::Render(options) =
        line("decant render a.tmpl --fixture f.yaml b.hcl -out=o --kv2 kv,/team/kv/ --config c -watch")
            .unwrap()
    else {
        panic!()
    };
    let paths: Vec<_> =
        options.given.iter().map(|given| (given.path.to_str().unwrap(), given.form)).collect();
    assert_eq!(paths, [("a.tmpl", None), ("b.hcl", None), ("c", Some(Form::Config))]);
    assert_eq!(options.kv2, ["kv", "team/kv"]);
    assert!(options.watch && !options.diff && !options.reveal);
    assert_eq!((options.fixture, options.out), (Some("f.yaml".into()), Some("o".into())));
    let Command::Check(options) = line("decant check --format=json --strict --kv1 old a").unwrap() else {
        panic!()
    };
    assert!(options.strict && options.format == CheckFormat::Json && options.mounts.other.contains("old"));
    assert_eq!(refused("decant check").0, 2);
    assert!(refused("decant render").1.starts_with("there is nothing to look at"));
}

// Exit codes and words of what can't be followed.

#[test]
fn message_for_a_misspelt_flag() {
    let (code, message) = refused("vault agent -cnfig=a");
    assert_eq!(code, 1);
    assert_snapshot!(message, @r"
    error: unexpected argument '--cnfig' found

      tip: a similar argument exists: '--config'

    Usage: vault agent -config=PATH [FLAGS]

    For more information, try '--help'.
    ");
    assert_eq!(refused("decant init -cnfig=a").0, 2);
}

#[test]
fn message_for_a_missing_configuration() {
    assert_eq!(refused("vault agent").0, 1);
    assert_snapshot!(refused("vault agent").1, @r"
    Must specify at least one config path using -config
      hint: `vault agent --help` explains the flags
    ");
}

#[test]
fn message_for_a_flag_without_its_value() {
    assert_eq!(refused("vault agent -config").0, 1);
    assert_snapshot!(refused("decant sidecar -config").1, @r"
    flag needs an argument: -config
      hint: `decant sidecar --help` explains the flags
    ");
}

#[test]
fn message_for_a_wrong_bool() {
    assert_snapshot!(refused("vault agent -config=a -tls-skip-verify=maybe").1, @r#"
    invalid boolean value "maybe" for flag -tls-skip-verify: expected true or false (also 1, 0, t, f)
      hint: `vault agent --help` explains the flags
    "#);
    assert_snapshot!(refused("vault agent -config=a -combine-logs=maybe").1, @r#"
    invalid boolean value "maybe" for flag -combine-logs: expected true or false (also 1, 0, t, f)
      hint: `vault agent --help` explains the flags
    "#);
}

#[test]
fn message_for_a_wrong_number_and_a_wrong_duration() {
    assert_snapshot!(refused("vault agent -config=a -log-rotate-bytes=1M").1, @r#"
    invalid value "1M" for flag -log-rotate-bytes: expected a whole number
      hint: `vault agent --help` explains the flags
    "#);
    assert_eq!(refused("decant init --init-deadline=soon").0, 2);
    assert_snapshot!(refused("decant init --init-deadline=soon").1, @r#"
    flag -init-deadline: `init_deadline` can't be "soon"
      expected: a duration, for instance "30s", "1h30m", "250ms", "2d", or a number of seconds
      hint: `decant init --help` explains the flags
    "#);
}

#[test]
fn message_for_a_word_too_many() {
    assert_snapshot!(refused("decant init now").1, @r"
    unexpected argument `now`
      hint: `decant init --help` explains the flags
    ");
}

#[test]
fn message_for_a_header_of_vaults_own() {
    assert_snapshot!(refused("vault agent -config=a -header=x-vault-token=canary").1, @r"
    -header can't set x-vault-token: names that begin with X-Vault- are Vault's own
      hint: `vault agent --help` explains the flags
    ");
}

#[test]
fn help_explains_itself() {
    assert_eq!(printed("decant help help"), printed("decant help"));
    assert_eq!(printed("decant --help help"), printed("decant help"));
}

#[test]
fn message_for_an_unknown_command() {
    assert_eq!(refused("decant sidcar").0, 2);
    assert_snapshot!(refused("decant sidcar").1, @r"
    unknown command `sidcar`
      hint: did you mean `sidecar`?
    ");
    assert_snapshot!(refused("decant frobnicate").1, @r"
    unknown command `frobnicate`
      hint: `decant help` lists the commands
    ");
}

#[test]
fn message_for_a_command_of_the_original() {
    assert_eq!(refused("vault kv get -field=x secret/y").0, 64);
    assert_snapshot!(refused("vault status").1, @r"
    decant has no command `status`
      hint: ask GET /v1/sys/health of the server with curl
    ");
    assert_snapshot!(refused("vault token create -policy=x").1, @r"
    decant has no command `token create`
      hint: `token revoke -self` and `token lookup` are here; use the original program for the others
    ");
    assert_eq!(refused("vault token create").0, 64);
    assert_eq!(refused("vault token").0, 1);
    assert_eq!(refused("vault agent generate-config -type=agent").0, 1);
}

#[test]
fn arguments_have_to_be_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let argv = [OsString::from("decant"), OsString::from_vec(vec![0xff])];
    let usage = parse(&argv, &Environment::default()).unwrap_err();
    assert_eq!(format!("{usage:?}"), "exit 2: argument 1 is not valid UTF-8");
}

proptest! {
    #[test]
    fn no_command_line_makes_it_panic(
        command in prop::sample::select(vec!["agent", "init", "sidecar", "dev", "token lookup", "help", ""]),
        args in prop::collection::vec("-{0,3}(config|ns|tls-skip-verify|[a-z=. ]{0,4})(=[ -~é]{0,4})?", 0..5),
    ) {
        let words = ["decant"].into_iter().chain(command.split_whitespace()).chain(args.iter().map(String::as_str));
        let argv: Vec<OsString> = words.map(OsString::from).collect();
        if let Err(usage) = parse(&argv, &Environment::default()) {
            prop_assert!(!usage.message.is_empty() && [1, 2, 64].contains(&usage.exit_code));
        }
    }
}
