//! Every place of a template's text that asks the server for something, whatever condition it stands under.

use super::{
    ast::{Command, Node, Operand, Pipe, Pos, Stmt},
    fault::position,
    funcs::{Args, secret_request},
    parser::Trees,
    stack::Stack,
    value::Value,
};
use crate::vault::path::VaultPath;

/// One place that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretCall {
    /// The function.
    pub function: &'static str,
    /// What is done with the path.
    pub asks: Asks,
    /// The path.
    pub path: CalledPath,
    /// Line in the template's text, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// What a call does with its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asks {
    /// GET.
    Read,
    /// GET with `list=true`.
    List,
    /// PUT with fields.
    Write,
    /// PUT that makes a certificate.
    Issue,
}

/// One place that runs a program (`plugin`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCall {
    /// The program's name as the template writes it; without quotation marks when it is written out.
    pub program: String,
    /// Line in the template's text, from 1.
    pub line: usize,
}

/// A path as far as the text tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CalledPath {
    /// It is written there.
    Known(VaultPath),
    /// It is computed when the template runs.
    Computed {
        /// The expression, as Go prints it.
        source: String,
        /// What the path surely begins with, when the expression is a `printf` with a constant format.
        start: String,
    },
    /// The call can't succeed; why.
    Refused(String),
}

/// All calls in the text, in its order.
pub fn calls(trees: &Trees, text: &str) -> Vec<SecretCall> {
    let mut found = walk(trees, text).found;
    found.sort_by_key(|(pos, _)| *pos);
    found.into_iter().map(|(_, call)| call).collect()
}

/// All programs that the text may run, in its order.
pub fn programs(trees: &Trees, text: &str) -> Vec<ProgramCall> {
    let mut programs = walk(trees, text).programs;
    programs.sort_by_key(|(pos, _)| *pos);
    programs.into_iter().map(|(_, call)| call).collect()
}

fn walk<'t>(trees: &Trees, text: &'t str) -> Walk<'t> {
    let mut walk = Walk { text, stack: Stack::here(), found: Vec::new(), programs: Vec::new() };
    for tree in trees.values() {
        walk.list(&tree.body);
    }
    walk
}

struct Walk<'t> {
    text: &'t str,
    stack: Stack,
    found: Vec<(Pos, SecretCall)>,
    programs: Vec<(Pos, ProgramCall)>,
}

impl Walk<'_> {
    fn list(&mut self, body: &[Stmt]) {
        // The parser has refused what nests too deep for it, and it needs more of the stack than this.
        if !self.stack.has_room() {
            return;
        }
        for stmt in body {
            match stmt {
                Stmt::Action(of) | Stmt::Call { pipe: Some(of), .. } => self.pipe(of),
                Stmt::Branch { pipe, body, otherwise, .. } | Stmt::Range { pipe, body, otherwise } => {
                    self.pipe(pipe);
                    self.list(body);
                    self.list(otherwise.as_deref().unwrap_or_default());
                }
                Stmt::Text(_) | Stmt::Call { pipe: None, .. } | Stmt::Break | Stmt::Continue => {}
            }
        }
    }

    fn pipe(&mut self, of: &Pipe) {
        if !self.stack.has_room() {
            return;
        }
        for (at, command) in of.commands.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|at| of.commands.get(at));
            self.command(command, before);
            for arg in &command.args {
                self.operand(arg);
            }
        }
    }

    fn operand(&mut self, node: &Node) {
        match &node.kind {
            Operand::Pipe(of) => self.pipe(of),
            Operand::Chain(base, _) => self.operand(base),
            _ => {}
        }
    }

    fn command(&mut self, command: &Command, before: Option<&Command>) {
        let Some((Node { kind: Operand::Function(name, func), pos }, args)) = command.args.split_first()
        else {
            return;
        };
        if func.name == "denied" {
            let why = "`function_denylist` denies this function";
            return self.add(*pos, name, Asks::Read, CalledPath::Refused(why.to_owned()));
        }
        let mut args: Vec<Arg<'_>> = args.iter().map(Arg::Node).collect();
        args.extend(before.map(|command| match command.args.as_slice() {
            [node] => Arg::Node(node),
            _ => Arg::Piped(command),
        }));
        let Some(path) = args.first() else { return };
        if *name == "plugin" {
            return self.add_program(*pos, path);
        }
        let asks = match *name {
            "secret" if args.len() == 1 => Asks::Read,
            "secret" => Asks::Write,
            "secrets" => Asks::List,
            "pkiCert" => Asks::Issue,
            _ => return,
        };
        let path = match path.literal() {
            Some(_) => known(&args),
            None => CalledPath::Computed { source: path.source(), start: path.start() },
        };
        self.add(*pos, name, asks, path);
    }

    fn add_program(&mut self, pos: Pos, name: &Arg<'_>) {
        let program = match name.literal() {
            // The function answers with nothing then, and runs nothing.
            Some(Value::String(name)) if name.as_bytes().is_empty() => return,
            Some(Value::String(name)) => String::from_utf8_lossy(name.as_bytes()).into_owned(),
            _ => name.source(),
        };
        self.programs.push((pos, ProgramCall { program, line: position(self.text, pos).0 }));
    }

    fn add(&mut self, pos: Pos, function: &'static str, asks: Asks, path: CalledPath) {
        let (line, start) = position(self.text, pos);
        let column = 1 + self.text.get(start..pos).map_or(0, |before| before.chars().count());
        self.found.push((pos, SecretCall { function, asks, path, line, column }));
    }
}

/// An argument, written or piped in.
enum Arg<'a> {
    Node(&'a Node),
    Piped(&'a Command),
}

impl Arg<'_> {
    fn literal(&self) -> Option<Value> {
        match self {
            Self::Node(Node { kind: Operand::String(_, text), .. }) => Some(Value::String(text.clone())),
            _ => None,
        }
    }

    fn source(&self) -> String {
        match self {
            Self::Node(Node { kind: Operand::Pipe(pipe), .. }) => format!("({pipe})"),
            Self::Node(node) => node.to_string(),
            Self::Piped(command) => format!("({command})"),
        }
    }

    fn start(&self) -> String {
        let command = match self {
            Self::Piped(command) => *command,
            Self::Node(Node { kind: Operand::Pipe(pipe), .. }) => match pipe.commands.as_slice() {
                [command] => command,
                _ => return String::new(),
            },
            Self::Node(_) => return String::new(),
        };
        match command.args.as_slice() {
            [
                Node { kind: Operand::Function("printf", _), .. },
                Node { kind: Operand::String(_, format), .. },
                ..,
            ] => format
                .as_str()
                .and_then(|format| format.split('%').next())
                .map(|start| start.trim_start().trim_start_matches('/').to_owned())
                .unwrap_or_default(),
            _ => String::new(),
        }
    }
}

/// The path of a call whose first argument is written there, judged as the call itself will.
fn known(args: &[Arg<'_>]) -> CalledPath {
    let written: Vec<Value> = args.iter().map_while(Arg::literal).collect();
    // Fields that are computed can't be judged; the path can.
    let judged = if written.len() == args.len() { written } else { written.into_iter().take(1).collect() };
    match secret_request(&Args::new(judged)) {
        Ok((_, path, _)) => CalledPath::Known(path),
        Err(error) => CalledPath::Refused(error.shown().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::go::{funcs::Registry, parser};

    fn found(text: &str) -> Vec<String> {
        let trees = parser::parse(text, ("", ""), &Registry::new(&["env".to_owned()]))
            .unwrap_or_else(|fault| panic!("{}", fault.go));
        let show = |call: SecretCall| {
            let path = match call.path {
                CalledPath::Known(path) => path.to_string(),
                CalledPath::Computed { source, start } => format!("computed {source} {start:?}"),
                CalledPath::Refused(why) => format!("refused {why}"),
            };
            format!("{}:{} {:?} {path}", call.line, call.column, call.asks)
        };
        calls(&trees, text).into_iter().map(show).collect()
    }

    #[test]
    fn calls_are_found_in_every_branch_and_definition_in_order() {
        let text = "{{ define \"a\" }}{{ secret \"kv/def\" }}{{ end }}\n\
                    {{ if false }}{{ range secrets \"kv/list/\" }}{{ else }}{{ with (secret \"kv/else\").Data }}{{ end }}\
                    {{ end }}{{ end }}\n{{ template \"a\" (secret \"kv/arg\") }}{{ $x := secret \"/kv/var?version=2\" }}";
        assert_eq!(
            found(text),
            [
                "1:20 Read kv/def",
                "2:24 List kv/list",
                "2:64 Read kv/else",
                "3:18 Read kv/arg",
                "3:46 Read kv/var"
            ]
        );
    }

    #[test]
    fn writes_certificates_and_piped_paths_are_told_apart() {
        assert_eq!(found("{{ secret \"t/encrypt/k\" \"plaintext=x\" }}"), ["1:4 Write t/encrypt/k"]);
        assert_eq!(
            found("{{ secret \"t/k\" (printf \"a=%s\" \"b\") \"no pair\" }}"),
            ["1:4 Write t/k"],
            "fields that are computed don't hide the path"
        );
        assert_eq!(found("{{ pkiCert \"pki/issue/web\" \"ttl=1h\" }}"), ["1:4 Issue pki/issue/web"]);
        assert_eq!(found("{{ \"kv/p\" | secret }}"), ["1:13 Read kv/p"]);
        assert_eq!(
            found("{{ secret }}{{ secrets \"\" }}"),
            ["1:16 List refused vault.read: invalid format: \"\""]
        );
    }

    #[test]
    fn a_path_that_is_computed_says_how_and_where_it_begins() {
        assert_eq!(
            found("{{ secret (printf \"kv/data/%s/x\" .a) }}"),
            ["1:4 Read computed (printf \"kv/data/%s/x\" .a) \"kv/data/\""]
        );
        assert_eq!(
            found("{{ secret $p }}".replace("$p", "(print \"a\")").as_str()),
            ["1:4 Read computed (print \"a\") \"\""]
        );
        assert_eq!(
            found("{{ printf \"kv/%s\" \"a\" | secret }}"),
            ["1:25 Read computed (printf \"kv/%s\" \"a\") \"kv/\""]
        );
    }

    #[test]
    fn programs_are_found_wherever_they_stand() {
        let text = "{{ with secret \"kv/a\" }}{{ .Data | toJSON | plugin \"/bin/a\" \"x\" }}{{ end }}\n\
                    {{ define \"t\" }}{{ if (plugin (env \"P\")) }}{{ end }}{{ end }}{{ plugin \"\" }}{{ \"b\" | plugin }}";
        let trees =
            parser::parse(text, ("", ""), &Registry::new(&[])).unwrap_or_else(|fault| panic!("{}", fault.go));
        let found = programs(&trees, text);
        let found: Vec<_> = found.iter().map(|call| (call.program.as_str(), call.line)).collect();
        assert_eq!(found, [("/bin/a", 1), ("(env \"P\")", 2), ("b", 2)]);
    }

    #[test]
    fn calls_that_must_fail_are_told() {
        assert_eq!(
            found("{{ secret \"kv/../sys\" }}"),
            ["1:4 Read refused vault.read: the path has a segment `..`"]
        );
        assert_eq!(found("{{ env \"X\" }}"), ["1:4 Read refused `function_denylist` denies this function"]);
        assert!(found("{{ secret \"kv/a\" \"hunter2\" }}")[0].ends_with("argument 2 is not a k=v pair"));
    }
}
