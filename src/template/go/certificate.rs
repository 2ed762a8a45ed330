//! What a template does with certificates (`pkiCert`), read off its text before it runs.

use std::path::PathBuf;

use super::{
    ast::{Name, Node, Operand, Pipe, Stmt},
    funcs::{Args, issue_request},
    literal::Literal,
    parser::Trees,
    value::Value,
};
use crate::secrets::request::Verb;

/// How deep blocks and parentheses are followed, as deep as the parser lets them nest.
const MAX_DEPTH: u32 = 1_000;

/// The parts of a certificate that a template mentions, and the files that it writes besides its own.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CertificateUse {
    /// The certificates that it asks for by literal text.
    pub literal: Vec<Literal>,
    /// Places that ask for one whose request is known only when the template runs.
    pub computed: usize,
    /// One of these can ask for several: it stands in a loop or in a definition.
    pub repeated: bool,
    /// It mentions `.Key`.
    pub key: bool,
    /// It mentions `.CA` or `.CAChain`.
    pub authority: bool,
    /// Paths given to `writeToFile` as literal text.
    pub files: Vec<PathBuf>,
}

/// What the template's trees do.
pub fn of_trees(trees: &Trees) -> CertificateUse {
    let mut walk = Walk::default();
    for (name, tree) in trees {
        walk.repeats = !name.is_empty();
        walk.list(&tree.body, MAX_DEPTH);
    }
    walk.found
}

impl CertificateUse {
    /// It asks for a certificate.
    pub const fn asks(&self) -> bool {
        self.computed > 0 || !self.literal.is_empty()
    }
}

#[derive(Default)]
struct Walk {
    found: CertificateUse,
    /// What stands here may be run several times.
    repeats: bool,
}

impl Walk {
    fn list(&mut self, body: &[Stmt], depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        for stmt in body {
            match stmt {
                Stmt::Action(pipe) | Stmt::Call { pipe: Some(pipe), .. } => self.pipe(pipe, depth),
                Stmt::Branch { pipe, body, otherwise, .. } => {
                    self.pipe(pipe, depth);
                    self.list(body, depth);
                    self.list(otherwise.as_deref().unwrap_or_default(), depth);
                }
                Stmt::Range { pipe, body, otherwise } => {
                    self.pipe(pipe, depth);
                    let outside = std::mem::replace(&mut self.repeats, true);
                    self.list(body, depth);
                    self.repeats = outside;
                    self.list(otherwise.as_deref().unwrap_or_default(), depth);
                }
                _ => {}
            }
        }
    }

    fn pipe(&mut self, pipe: &Pipe, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        for (at, command) in pipe.commands.iter().enumerate() {
            if let [
                Node { kind: Operand::Function("writeToFile", _), .. },
                Node { kind: Operand::String(_, path), .. },
                ..,
            ] = command.args.as_slice()
                && let Some(path) = path.as_str()
            {
                self.found.files.push(path.into());
            }
            let mut nodes = command.args.as_slice();
            if let [Node { kind: Operand::Function("pkiCert", _), .. }, args @ ..] = nodes {
                // What is piped in is an argument, too.
                self.asked(if at == 0 { literal(args) } else { None });
                nodes = args;
            }
            for node in nodes {
                self.node(node, depth);
            }
        }
    }

    fn node(&mut self, node: &Node, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        match &node.kind {
            Operand::Function("pkiCert", _) => self.asked(None),
            Operand::Field(names) | Operand::Variable(_, names) => self.names(names),
            Operand::Chain(base, names) => {
                self.names(names);
                self.node(base, depth);
            }
            Operand::Pipe(pipe) => self.pipe(pipe, depth),
            _ => {}
        }
    }

    fn asked(&mut self, request: Option<Literal>) {
        match request {
            Some(request) => self.found.literal.push(request),
            None => {
                self.found.computed += 1;
                self.found.repeated |= self.repeats;
            }
        }
    }

    fn names(&mut self, names: &[Name]) {
        for name in names {
            match &*name.text {
                "Key" => self.found.key = true,
                "CA" | "CAChain" | "CaChainContains" => self.found.authority = true,
                _ => {}
            }
        }
    }
}

/// The request of a call whose arguments are all written there.
fn literal(args: &[Node]) -> Option<Literal> {
    let texts = args.iter().map(|node| match &node.kind {
        Operand::String(_, text) => Some(Value::String(text.clone())),
        _ => None,
    });
    let texts: Vec<Value> = texts.collect::<Option<_>>()?;
    if texts.is_empty() {
        return None;
    }
    let (fields, path, params) = issue_request(&Args::new(texts)).ok()?;
    Some((Verb::Issue(fields), path, params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::go::{funcs::Registry, parser};

    fn of(text: &str) -> CertificateUse {
        let trees = parser::parse(text, ("{{", "}}"), &Registry::new(&[]));
        of_trees(&trees.unwrap_or_else(|fault| panic!("{text}: offset {}", fault.pos)))
    }

    #[test]
    fn mentions_are_found_wherever_they_stand() {
        for text in [
            "{{ with pkiCert \"pki/issue/web\" \"common_name=a\" }}{{ .Data.Key }}{{ end }}",
            "{{ $c := pkiCert \"pki/issue/web\" }}{{ if $c }}x{{ else }}{{ $c.Key }}{{ end }}",
            "{{ define \"k\" }}{{ .Key }}{{ end }}{{ with pkiCert \"p\" }}{{ template \"k\" . }}{{ end }}",
            "{{ (pkiCert \"p\").Key | trimSpace }}",
        ] {
            let found = of(text);
            assert!(found.asks() && found.key && !found.authority, "{text}");
        }
        let chain = of("{{ with pkiCert \"p\" }}{{ range .CAChain }}{{ . }}{{ end }}{{ end }}");
        assert!(chain.asks() && chain.authority && !chain.key);
    }

    #[test]
    fn files_that_are_written_besides_are_known_when_their_names_are_literal() {
        let found = of("{{ with pkiCert \"p\" }}{{ .Key | writeToFile \"/c/k.pem\" \"\" \"\" \"0400\" }}\
                        {{ .Key | writeToFile (printf \"/c/%s\" \"x\") \"\" \"\" \"0400\" }}{{ end }}");
        assert_eq!(found.files, [PathBuf::from("/c/k.pem")]);
    }

    #[test]
    fn requests_are_known_when_all_of_them_is_literal() {
        for (text, literal, computed, repeated) in [
            ("{{ pkiCert \"p\" \"common_name=a\" }}{{ (pkiCert \"p\" \"common_name=b\").Key }}", 2, 0, false),
            ("{{ with pkiCert \"p\" (printf \"common_name=%s\" \"a\") }}{{ .Cert }}{{ end }}", 0, 1, false),
            ("{{ \"common_name=a\" | pkiCert \"p\" }}", 0, 1, false),
            ("{{ range $n := .names }}{{ pkiCert \"p\" $n }}{{ end }}", 0, 1, true),
            ("{{ range .names }}{{ pkiCert \"p\" \"common_name=a\" }}{{ end }}", 1, 0, false),
            (
                "{{ define \"d\" }}{{ pkiCert . }}{{ end }}{{ template \"d\" \"p\" }}{{ pkiCert . }}",
                0,
                2,
                true,
            ),
        ] {
            let found = of(text);
            assert_eq!(
                (found.literal.len(), found.computed, found.repeated),
                (literal, computed, repeated),
                "{text}"
            );
        }
    }

    #[test]
    fn other_templates_have_nothing_to_do_with_it() {
        assert!(!of("{{ with secret \"kv/app\" }}{{ .Data.a }}{{ end }}").asks());
    }
}
