//! Reads one source file for the tidy test: what it imports, how long it and its functions are. Tests don't count.

use std::{collections::BTreeSet, path::Path};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Arm, Attribute, File, ImplItemFn, Item, ItemFn, ItemMod, ItemUse, Signature, TraitItemFn, UseTree,
    Variant,
    spanned::Spanned,
    visit::{self, Visit},
};

/// What the tidy test wants to know about one file.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Modules of this crate that are named, as full paths (`["vault", "path", "VaultPath"]`).
    pub(super) imports: BTreeSet<Vec<String>>,
    /// Other crates whose items are imported or named.
    pub(super) crates: BTreeSet<String>,
    /// Those of both that every build has: what stands behind `cfg(feature = …)` is left out, crates are one word.
    pub(super) in_every_build: BTreeSet<Vec<String>>,
    /// Names of the modules that the file declares, tests apart.
    pub(super) modules: Vec<String>,
    /// Names of the modules that exist for tests only.
    pub(super) test_modules: Vec<String>,
    /// Files of such modules that have a place of their own (`#[path]`), from the folder of this file.
    pub(super) test_files: Vec<String>,
    /// Whether the file says what it is for (`//!`).
    pub(super) has_purpose: bool,
    /// Lines without those of tests.
    pub(super) lines: usize,
    /// Name, first line and length of each function.
    pub(super) functions: Vec<(String, usize, usize)>,
}

impl Source {
    /// Reads a file's text; `module` is the path of its module.
    pub(super) fn parse(text: &str, module: &[String]) -> syn::Result<Self> {
        let file: File = syn::parse_file(text)?;
        let mut reader = Reader { module: module.to_vec(), source: Self::default(), test_lines: 0, gates: 0 };
        reader.visit_file(&file);
        reader.source.has_purpose = file.attrs.iter().any(|attribute| attribute.path().is_ident("doc"));
        reader.source.lines = text.lines().count().saturating_sub(reader.test_lines);
        Ok(reader.source)
    }
}

/// Path of the module in a file, from its path below `src`.
pub(super) fn module_of(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

struct Reader {
    module: Vec<String>,
    source: Source,
    test_lines: usize,
    /// How many `cfg(feature = …)` what is read stands behind.
    gates: usize,
}

impl Reader {
    fn behind_gates(&mut self, attributes: &[Attribute], read: impl FnOnce(&mut Self)) {
        let gates = attributes.iter().filter(|attribute| is_gate(attribute)).count();
        self.gates += gates;
        read(self);
        self.gates -= gates;
    }

    fn note_for_every_build(&mut self, path: &[String]) {
        if self.gates == 0 {
            self.source.in_every_build.insert(path.to_vec());
        }
    }

    /// A path as written becomes one from the crate's root; other crates are noted by name.
    fn note(&mut self, path: &[String]) {
        let mut base = self.module.clone();
        let mut rest = path;
        match rest.first().map(String::as_str) {
            Some("crate" | "decant") => base.clear(),
            Some("self") => {}
            Some("super") => {
                base.pop();
            }
            Some(name) => {
                self.source.crates.insert(name.to_owned());
                self.note_for_every_build(&path[..1]);
                return;
            }
            None => return,
        }
        rest = &rest[1..];
        while rest.first().is_some_and(|part| part == "super") {
            base.pop();
            rest = &rest[1..];
        }
        base.extend_from_slice(rest);
        if !base.is_empty() {
            self.note_for_every_build(&base);
            self.source.imports.insert(base);
        }
    }

    fn note_tree(&mut self, tree: &UseTree, path: &mut Vec<String>) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.note_tree(&part.tree, path);
                path.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_tree(tree, path)),
            UseTree::Glob(_) => self.note(path),
            UseTree::Name(name) if name.ident == "self" => self.note(path),
            UseTree::Name(name) => self.note_last(&name.ident, path),
            UseTree::Rename(name) => self.note_last(&name.ident, path),
        }
    }

    fn note_last(&mut self, last: &syn::Ident, path: &mut Vec<String>) {
        path.push(last.to_string());
        self.note(path);
        path.pop();
    }

    /// Arguments of macros aren't parsed, so `crate::…` is looked for among the tokens.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if path.is_empty() && ident == "crate" => {
                    path.push(ident.to_string())
                }
                TokenTree::Ident(ident) if !path.is_empty() => path.push(ident.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {}
                other => {
                    self.end_of_path(&mut path);
                    if let TokenTree::Group(group) = other {
                        self.note_tokens(group.stream());
                    }
                }
            }
        }
        self.end_of_path(&mut path);
    }

    fn end_of_path(&mut self, path: &mut Vec<String>) {
        if !path.is_empty() {
            self.note(path);
            path.clear();
        }
    }

    fn note_function(&mut self, signature: &Signature, end: usize) {
        let start = signature.span().start().line;
        self.source.functions.push((signature.ident.to_string(), start, end + 1 - start));
    }
}

fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Ok(list) = attribute.meta.require_list() else { return attribute.path().is_ident("test") };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

/// Whether it leaves out what it stands on in builds without a Cargo feature.
fn is_gate(attribute: &Attribute) -> bool {
    let Ok(list) = attribute.meta.require_list() else { return false };
    let condition = list.tokens.to_string();
    list.path.is_ident("cfg") && condition.contains("feature") && !condition.contains("not")
}

/// The text of `#[path = "…"]`.
fn own_place(attribute: &Attribute) -> Option<String> {
    let value = attribute.meta.require_name_value().ok().filter(|value| value.path.is_ident("path"))?;
    match &value.value {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test_only(attributes_of(item)) {
            let span = item.span();
            self.test_lines += span.end().line + 1 - span.start().line;
            if let Item::Mod(module) = item {
                self.source.test_modules.push(module.ident.to_string());
                self.source.test_files.extend(module.attrs.iter().filter_map(own_place));
            }
        } else {
            self.behind_gates(attributes_of(item), |reader| visit::visit_item(reader, item));
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        self.behind_gates(&arm.attrs, |reader| visit::visit_arm(reader, arm));
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        self.behind_gates(&variant.attrs, |reader| visit::visit_variant(reader, variant));
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        self.source.modules.push(module.ident.to_string());
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.note_tree(&item.tree, &mut Vec::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        // One name alone is a local one; a name of more parts that doesn't start at the root may be, too, which
        // `HOMES` knows.
        if path.segments.len() > 1 {
            let parts: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
            self.note(&parts);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.note_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.note_function(&function.sig, function.block.span().end().line);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !is_test_only(&function.attrs) {
            self.note_function(&function.sig, function.block.span().end().line);
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            self.note_function(&function.sig, block.span().end().line);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, module: &[&str]) -> Source {
        let module: Vec<String> = module.iter().map(|part| (*part).to_owned()).collect();
        Source::parse(text, &module).unwrap()
    }

    fn imports(text: &str, module: &[&str]) -> Vec<String> {
        parse(text, module).imports.iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn files_are_modules() {
        for (file, module) in
            [("vault/mod.rs", "vault"), ("vault/path.rs", "vault::path"), ("lib.rs", ""), ("a.rs", "a")]
        {
            assert_eq!(module_of(Path::new(file)).join("::"), module, "{file}");
        }
    }

    #[test]
    fn imports_are_found_however_they_are_written() {
        assert_eq!(imports("use crate::{a::{self, b::C as D}, e::*};", &["x"]), ["a", "a::b::C", "e"]);
        assert_eq!(
            imports("use super::y; use self::z::W; use super::super::q;", &["m", "x"]),
            ["m::x::z::W", "m::y", "q"]
        );
        assert_eq!(imports("fn f() -> crate::a::B { crate::c::d() }", &["x"]), ["a::B", "c::d"]);
        assert_eq!(imports("fn f() { info!(\"x\", k = %crate::a::b(1)); }", &["x"]), ["a::b"]);
        assert_eq!(imports("mod inner { use super::super::a::B; }", &["x"]), ["a::B"]);
        assert_eq!(imports("use decant::cli::run;", &[]), ["cli::run"]);
    }

    #[test]
    fn other_crates_are_noted_by_name() {
        let source = parse("use tokio::time; fn f() { reqwest::get() }", &["x"]);
        assert!(source.crates.contains("tokio") && source.crates.contains("reqwest"), "{source:?}");
        assert!(source.imports.is_empty());
    }

    #[test]
    fn what_stands_behind_a_feature_is_not_in_every_build() {
        let text = "#[cfg(feature = \"a\")] use crate::a::A; use crate::b::B;
                    #[cfg(feature = \"a\")] fn f() { axum::serve() }
                    fn g() { match x { #[cfg(feature = \"a\")] 1 => crate::c::d(), _ => tokio::spawn() } }";
        let source = parse(text, &["x"]);
        let always: Vec<String> = source.in_every_build.iter().map(|path| path.join("::")).collect();
        assert_eq!(always, ["b::B", "tokio"]);
        assert_eq!((source.imports.len(), source.crates.len()), (3, 2));
    }

    #[test]
    fn tests_count_neither_as_lines_nor_as_imports() {
        let text = "//! Doc.\n\nuse crate::a::A;\n\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n    fn long() {}\n}\n\
                    #[cfg(test)]\nmod more;\n#[cfg(test)]\nfn f() {}\n";
        let source = parse(text, &["x"]);
        assert_eq!(source.lines, 4);
        assert!(source.has_purpose);
        assert_eq!(source.imports.len(), 1);
        assert_eq!(source.test_modules, ["tests", "more"]);
        assert!(source.functions.is_empty());
    }

    #[test]
    fn tests_in_a_file_with_a_name_of_its_own_are_known() {
        let source =
            parse("#[cfg(test)]\n#[path = \"a_tests.rs\"]\nmod tests;\n#[path = \"b.rs\"]\nmod b;\n", &["x"]);
        assert_eq!(source.test_files, ["a_tests.rs"]);
    }

    #[test]
    fn functions_are_measured_from_signature_to_brace() {
        let text = "/// Doc.\n#[inline]\nfn one() {}\nstruct S;\nimpl S {\n    fn four(\n        &self,\n    ) {\n    }\n}\n\
                    trait T {\n    fn none(&self);\n    fn two(&self) {\n    }\n}\n";
        let functions = parse(text, &["x"]).functions;
        assert_eq!(functions, [("one".into(), 3, 1), ("four".into(), 6, 4), ("two".into(), 13, 2)]);
    }

    #[test]
    fn a_file_that_does_not_parse_is_an_error() {
        assert!(Source::parse("fn (", &[]).is_err());
    }
}
