//! The requests that a template surely makes, read off its text.

use super::{
    ast::{Command, Node, Operand, Pipe, Stmt},
    funcs::{Args, secret_request},
    parser::Trees,
    value::Value,
};
use crate::{
    secrets::request::Verb,
    vault::path::{Params, VaultPath},
};

/// A request without its identity.
pub type Literal = (Verb, VaultPath, Params);

/// How deep blocks and parentheses are followed; what lies deeper is found when it runs.
const MAX_DEPTH: u32 = 40;

/// The reads and listings outside every condition. The body of `with secret "…"` counts as unconditional, because a
/// secret that doesn't exist stops the template anyway.
pub fn requests(trees: &Trees) -> Vec<Literal> {
    let mut found = Vec::new();
    if let Some(tree) = trees.get("") {
        list(&tree.body, MAX_DEPTH, &mut found);
    }
    found
}

fn list(body: &[Stmt], depth: u32, found: &mut Vec<Literal>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for stmt in body {
        match stmt {
            Stmt::Action(of) | Stmt::Call { pipe: Some(of), .. } | Stmt::Range { pipe: of, .. } => {
                pipe(of, depth, found);
            }
            Stmt::Branch { with, pipe: of, body, .. } => {
                pipe(of, depth, found);
                let call = of.commands.first().and_then(function);
                if *with && of.commands.len() == 1 && call == Some("secret") {
                    list(body, depth, found);
                }
            }
            _ => {}
        }
    }
}

fn pipe(of: &Pipe, depth: u32, found: &mut Vec<Literal>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for (at, command) in of.commands.iter().enumerate() {
        let name = function(command);
        if at == 0
            && let Some(name @ ("secret" | "secrets")) = name
        {
            found.extend(literal(name, &command.args[1..]));
        }
        // `and` and `or` may not look at their later arguments.
        let sure = if matches!(name, Some("and" | "or")) { 2 } else { command.args.len() };
        for arg in command.args.iter().take(sure) {
            operand(arg, depth, found);
        }
    }
}

fn operand(node: &Node, depth: u32, found: &mut Vec<Literal>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match &node.kind {
        Operand::Pipe(of) => pipe(of, depth, found),
        Operand::Chain(base, _) => operand(base, depth, found),
        _ => {}
    }
}

fn function(command: &Command) -> Option<&'static str> {
    match command.args.first()?.kind {
        Operand::Function(name, _) => Some(name),
        _ => None,
    }
}

fn literal(name: &str, args: &[Node]) -> Option<Literal> {
    let [Node { kind: Operand::String(_, path), .. }] = args else { return None };
    if name == "secrets" {
        let (path, params) = VaultPath::parse(path.as_str()?).ok()?;
        return Some((Verb::List, path, params));
    }
    secret_request(&Args::new(vec![Value::String(path.clone())])).ok()
}
