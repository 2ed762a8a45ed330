use super::*;

fn error(text: &str) -> String {
    match parse(text, ("", ""), &Registry::default()) {
        Ok(_) => panic!("{text} parses"),
        Err(fault) => fault.go_text(text),
    }
}

fn first(text: &str) -> String {
    let trees = parse(text, ("", ""), &Registry::default()).unwrap_or_else(|fault| panic!("{}", fault.shown));
    match trees[""].body.first() {
        Some(Stmt::Action(pipe)) => pipe.to_string(),
        _ => panic!("no action"),
    }
}

#[test]
fn nodes_print_as_go_prints_them() {
    assert_eq!(first("{{$x:=(printf  `a`   1 ).b|len}}"), "$x := (printf `a` 1).b | len");
    assert_eq!(first("{{ print .a.b $.c nil true 'x' 0x10 }}"), "print .a.b $.c nil true 'x' 0x10");
}

#[test]
fn errors_name_the_line_of_the_last_token() {
    assert_eq!(error("a\n{{ if true }}\n\n"), "template: :4: unexpected EOF");
    assert_eq!(error("\n{{ nosuch }}"), "template: :2: function \"nosuch\" not defined");
    assert_eq!(error("{{ print\n\"a"), "template: :2: unterminated quoted string in action started at :1");
    assert_eq!(error("{{ print\n1"), "template: :2: unclosed action started at :1");
}

#[test]
fn absurd_nesting_is_an_error() {
    let parens = format!("{{{{ {}1{} }}}}", "(".repeat(200_000), ")".repeat(200_000));
    assert_eq!(error(&parens), "template: :1: max expression depth exceeded");
    let blocks = "{{ if 1 }}".repeat(100_000);
    assert_eq!(error(&blocks), "template: :1: blocks nest too deep");
    let chain = format!("{{{{ if 1 }}}}{}", "{{ else if 1 }}".repeat(100_000));
    assert_eq!(error(&chain), "template: :1: blocks nest too deep");
}

#[test]
fn a_definition_of_blanks_gives_way_to_a_real_one() {
    for text in
        ["{{define `a`}} {{end}}{{define `a`}}x{{end}}", "{{define `a`}}x{{end}}{{define `a`}} {{end}}"]
    {
        let trees = parse(text, ("", ""), &Registry::default()).unwrap_or_else(|_| panic!("{text}"));
        assert!(!is_empty(&trees["a"].body), "{text}");
    }
}

#[test]
fn common_mistakes_get_a_hint() {
    let hint = |text: &str| match parse(text, ("", ""), &Registry::default()) {
        Ok(_) => panic!("{text} parses"),
        Err(fault) => fault.hint.unwrap_or_default(),
    };
    assert!(hint("{{ .Data.data.my-key }}").contains("index .Data.data"));
    assert!(hint("{{ $nam }}{{ $x := 1 }}").contains("declare it"));
    assert!(hint("{{ $name := 1 }}{{ $nam }}").contains("did you mean $name?"));
    assert!(hint("{{ with 1 }}").contains("{{ end }}"));
}
