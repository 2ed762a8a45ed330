use std::{collections::VecDeque, path::Path};

use proptest::prelude::*;

use super::*;

fn ours(line: &str) -> Result<String, Damage> {
    decode(line.as_bytes()).map(|found| found.get("vault.hashicorp.com/role").unwrap_or_default().to_owned())
}

fn fault(value: &str) -> Fault {
    ours(&format!("vault.hashicorp.com/role={value}")).unwrap_err().lines[0].fault
}

#[test]
fn the_reference_example_is_read() {
    let file = "vault.hashicorp.com/agent-inject-template-app.env=\"{{ with secret \\\"kv/data/shop\\\" \
                -}}\\nuser=\\t{{ .Data.data.user }}\\n{{ end }}\\n\"\nvault.hashicorp.com/role=\"shop\"\n";
    let found = decode(file.as_bytes()).unwrap();
    assert_eq!(
        found.get("vault.hashicorp.com/agent-inject-template-app.env"),
        Some("{{ with secret \"kv/data/shop\" -}}\nuser=\t{{ .Data.data.user }}\n{{ end }}\n")
    );
    assert_eq!(found.get("vault.hashicorp.com/role"), Some("shop"));
}

#[test]
fn every_escape_of_the_kubelet_is_undone() {
    let all = r#"vault.hashicorp.com/role="a\nb\t\"\\\u00a0\x01\a\b\f\r\v\x7f\U000e0001é日\u200b{%$'\101""#;
    assert_eq!(
        ours(all).unwrap(),
        "a\nb\t\"\\\u{a0}\u{1}\u{7}\u{8}\u{c}\r\u{b}\u{7f}\u{e0001}é日\u{200b}{%$'A"
    );
}

#[test]
fn bytes_may_be_escaped_one_by_one_when_they_make_utf8() {
    assert_eq!(ours(r#"vault.hashicorp.com/role="\xc3\xa9""#).unwrap(), "é");
    assert_eq!(fault(r#""\xc3""#), Fault::NotUtf8);
}

#[test]
fn broken_values_are_named_by_their_fault() {
    for (value, expected) in [
        ("shop", Fault::NotQuoted),
        ("", Fault::NotQuoted),
        ("\"shop", Fault::NoEnd),
        ("\"", Fault::NoEnd),
        ("\"sh\"op\"", Fault::BareQuote),
        ("\"shop\\\"", Fault::NoEnd),
        ("\"\\q\"", Fault::Escape),
        ("\"\\'\"", Fault::Escape),
        ("\"\\x0\"", Fault::Escape),
        ("\"\\u00g0\"", Fault::Escape),
        ("\"\\777\"", Fault::Escape),
        ("\"\\ud800\"", Fault::NotACharacter),
        ("\"\\U00110000\"", Fault::NotACharacter),
        ("\"\\Uffffffff\"", Fault::NotACharacter),
    ] {
        assert_eq!(fault(value), expected, "{value}");
    }
}

#[test]
fn foreign_lines_never_stop_us_and_ours_are_all_listed() {
    let found = decode(b"kubernetes.io/x=oops\nnonsense\nvault.hashicorp.com/role=\"r\"").unwrap();
    assert_eq!(found.iter().collect::<Vec<_>>(), [("vault.hashicorp.com/role", "r")]);
    assert_eq!(found.skipped(), [0, 21]);

    let file = "a=\"b\"\nvault.hashicorp.com/role=\"s3cr\\q\"\nopenbao.org/service\ndecant/x=\"top\"secret\"";
    let damage = decode(file.as_bytes()).unwrap_err();
    assert_eq!(damage.rest, Annotations::default());
    let error = DownwardError::Damaged { path: "/etc/podinfo/annotations".into(), damage };
    let said: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
    let heads: Vec<&str> = said.iter().filter_map(|said| said.lines().next()).collect();
    assert_eq!(
        heads,
        [
            "/etc/podinfo/annotations:2:31: annotation vault.hashicorp.com/role: unknown or incomplete escape",
            "/etc/podinfo/annotations:3:20: annotation openbao.org/service: there is no `=` behind the name",
            "/etc/podinfo/annotations:4:14: annotation decant/x: a quote inside the value has no backslash before it",
        ]
    );
    assert!(!said.concat().contains("s3cr"), "{said:?}");
}

#[test]
fn the_last_of_equal_names_wins_and_nothing_is_kept_of_others() {
    let found = decode(b"decant/x=\"1\"\ndecant/x=\"2\"\nother/y=\"3\"").unwrap();
    assert_eq!(found.iter().collect::<Vec<_>>(), [("decant/x", "2")]);
    assert_eq!(format!("{found:?}"), "{\"decant/x\"}");
}

#[test]
fn files_without_annotations_of_ours_say_what_is_likely_wrong() {
    let path = Path::new("/etc/podinfo/annotations");
    let empty = decode(b"").unwrap();
    assert!(empty.is_empty());
    insta::assert_snapshot!(empty.oddity(path).unwrap().to_string(), @r"
    /etc/podinfo/annotations has no annotation that decant reads
      expected: names that begin with vault.hashicorp.com/, openbao.org/, decant/
      hint: annotate the pod (spec.template.metadata of a Deployment, not its own metadata)
    ");
    let raw = decode(b"just the value\nof one").unwrap();
    insta::assert_snapshot!(raw.oddity(path).unwrap().to_string(), @r#"
    /etc/podinfo/annotations holds no line of the form key="value"
      expected: the file of a downwardAPI volume item with fieldPath `metadata.annotations`
      hint: a fieldPath like metadata.annotations['name'] gives one raw value; leave the ['name'] out
    "#);
    assert_eq!(decode(b"decant/x=\"\"").unwrap().oddity(path), None);
}

/// Opens the answers in turn.
fn opening(answers: Vec<io::Result<&'static [u8]>>) -> impl FnMut(&Path) -> io::Result<&'static [u8]> {
    let mut answers = VecDeque::from(answers);
    move |_| answers.pop_front().unwrap()
}

fn gone() -> io::Result<&'static [u8]> {
    Err(io::Error::from(io::ErrorKind::NotFound))
}

#[test]
fn a_folder_swapped_away_is_followed_once() {
    let path = Path::new("/nowhere/annotations");
    let found = read_with(path, opening(vec![gone(), Ok(b"decant/x=\"1\"")])).unwrap();
    assert_eq!(found.get("decant/x"), Some("1"));
    let error = read_with(path, opening(vec![gone(), gone()])).unwrap_err();
    assert!(matches!(error, DownwardError::NoMount { .. }));
}

#[test]
fn a_missing_file_names_the_volume_to_mount() {
    let error = read(Path::new("/nowhere/podinfo/annotations")).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r"
    nothing is mounted at /nowhere/podinfo: there is no file /nowhere/podinfo/annotations
      expected: a downwardAPI volume mounted at /nowhere/podinfo with the item `annotations` (fieldRef: metadata.annotations)
      hint: add the volume to the pod, or name another file with --annotations
    ");
    let folder = tempfile::tempdir().unwrap();
    let error = read(&folder.path().join("labels")).unwrap_err().to_string();
    insta::assert_snapshot!(error.replace(folder.path().to_str().unwrap(), "/etc/podinfo"), @r"
    the volume at /etc/podinfo has no file `labels`
      expected: an item `labels` with fieldRef metadata.annotations in that downwardAPI volume
      hint: name the item so, or name the right file with --annotations
    ");
    assert!(matches!(read(folder.path()).unwrap_err(), DownwardError::Unreadable { .. }));
}

#[test]
fn a_file_larger_than_any_pod_can_have_is_refused() {
    let big: &'static [u8] = vec![b'x'; MAX_BYTES as usize + 1].leak();
    let path = Path::new("a");
    assert!(matches!(read_with(path, opening(vec![Ok(big)])), Err(DownwardError::TooLarge { .. })));
    assert!(read_with(path, opening(vec![Ok(&big[1..])])).is_ok());
}

/// Quotes as the kubelet does, with everything beyond ASCII escaped.
fn quote(value: &str) -> String {
    let mut out = String::new();
    for character in value.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            ' '..='~' => out.push(character),
            '\0'..='\u{7f}' => out.push_str(&format!("\\x{:02x}", character as u32)),
            '\u{80}'..='\u{ffff}' => out.push_str(&format!("\\u{:04x}", character as u32)),
            _ => out.push_str(&format!("\\U{:08x}", character as u32)),
        }
    }
    out
}

proptest! {
    #[test]
    fn any_value_survives_quoting(value in any::<String>()) {
        prop_assert_eq!(ours(&format!("vault.hashicorp.com/role=\"{}\"", quote(&value))).unwrap(), value);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
        let mut file = b"decant/x=\"".to_vec();
        file.extend(bytes);
        let _ = decode(&file);
    }
}
