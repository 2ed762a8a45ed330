//! What a template does with certificates (`pkiCert`), read off its text before it runs.

use std::path::PathBuf;

use super::{
    ast::{Name, Node, Operand, Pipe, Stmt},
    parser::Trees,
};

/// How deep blocks and parentheses are followed, as deep as the parser lets them nest.
const MAX_DEPTH: u32 = 1_000;

/// The parts of a certificate that a template mentions, and the files that it writes besides its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateUse {
    /// It asks for a certificate.
    pub asked: bool,
    /// It mentions `.Key`.
    pub key: bool,
    /// It mentions `.CA` or `.CAChain`.
    pub authority: bool,
    /// Paths given to `writeToFile` as literal text.
    pub files: Vec<PathBuf>,
}

/// What the template's trees do.
pub fn of_trees(trees: &Trees) -> CertificateUse {
    let mut found = CertificateUse::default();
    for tree in trees.values() {
        found.list(&tree.body, MAX_DEPTH);
    }
    found
}

impl CertificateUse {
    fn list(&mut self, body: &[Stmt], depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        for stmt in body {
            match stmt {
                Stmt::Action(pipe) | Stmt::Call { pipe: Some(pipe), .. } => self.pipe(pipe, depth),
                Stmt::Branch { pipe, body, otherwise, .. } | Stmt::Range { pipe, body, otherwise } => {
                    self.pipe(pipe, depth);
                    self.list(body, depth);
                    self.list(otherwise.as_deref().unwrap_or_default(), depth);
                }
                _ => {}
            }
        }
    }

    fn pipe(&mut self, pipe: &Pipe, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        for command in &pipe.commands {
            if let [
                Node { kind: Operand::Function("writeToFile", _), .. },
                Node { kind: Operand::String(_, path), .. },
                ..,
            ] = command.args.as_slice()
                && let Some(path) = path.as_str()
            {
                self.files.push(path.into());
            }
            for node in &command.args {
                self.node(node, depth);
            }
        }
    }

    fn node(&mut self, node: &Node, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        match &node.kind {
            Operand::Function("pkiCert", _) => self.asked = true,
            Operand::Field(names) | Operand::Variable(_, names) => self.names(names),
            Operand::Chain(base, names) => {
                self.names(names);
                self.node(base, depth);
            }
            Operand::Pipe(pipe) => self.pipe(pipe, depth),
            _ => {}
        }
    }

    fn names(&mut self, names: &[Name]) {
        for name in names {
            match &*name.text {
                "Key" => self.key = true,
                "CA" | "CAChain" | "CaChainContains" => self.authority = true,
                _ => {}
            }
        }
    }
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
            assert!(found.asked && found.key && !found.authority, "{text}: {found:?}");
        }
        let chain = of("{{ with pkiCert \"p\" }}{{ range .CAChain }}{{ . }}{{ end }}{{ end }}");
        assert!(chain.asked && chain.authority && !chain.key);
    }

    #[test]
    fn files_that_are_written_besides_are_known_when_their_names_are_literal() {
        let found = of("{{ with pkiCert \"p\" }}{{ .Key | writeToFile \"/c/k.pem\" \"\" \"\" \"0400\" }}\
                        {{ .Key | writeToFile (printf \"/c/%s\" \"x\") \"\" \"\" \"0400\" }}{{ end }}");
        assert_eq!(found.files, [PathBuf::from("/c/k.pem")]);
    }

    #[test]
    fn other_templates_have_nothing_to_do_with_it() {
        assert!(!of("{{ with secret \"kv/app\" }}{{ .Data.a }}{{ end }}").asked);
    }
}
