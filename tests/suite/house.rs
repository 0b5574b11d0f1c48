//! The source's own rules: a room (a folder of `src`) uses only the rooms above it in the table
//! of docs/design.md, the files of a room do not use each other in a circle, and a type has one
//! name of its own.
//!
//! The files are read as Rust tokens, so that neither comments nor strings count. A use is a
//! `use` item or a path that begins with `crate`, `super`, `self` or a child module; a name that
//! a module re-exports counts as a use of the file that defines it. Tests inside the files do
//! not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What a room may use in place of all that is above it.
const ALONE: [(&str, &[&str]); 1] = [("simulator", &["model", "hash", "private_file", "process"])];

/// Names that several types have, each with the reason why it is no mistake.
const SHARED_NAMES: [(&str, &str); 0] = [];

/// A module's path from the root of the crate.
type Module = Vec<String>;

/// One file of the source.
#[derive(Default)]
struct File {
    /// Paths that it uses, as they are written.
    paths: BTreeSet<Vec<String>>,
    /// Names under which it passes paths on, and those paths.
    exports: BTreeMap<String, Vec<String>>,
    /// Modules from which it passes everything on.
    globs: Vec<Vec<String>>,
    types: BTreeSet<String>,
}

/// The source of the program.
struct House {
    files: BTreeMap<Module, File>,
}

/// Read once for all tests.
static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let mut house = House { files: BTreeMap::new() };
    house.read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut Vec::new());
    house
});

impl House {
    fn read_folder(&mut self, folder: &Path, module: &mut Module) {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            // Tests beside what they test are no part of the house.
            if name == "tests" || name == "testing" {
                continue;
            }
            if path.is_dir() {
                module.push(name);
                self.read_folder(&path, module);
                module.pop();
            } else if path.extension().is_some_and(|end| end == "rs") && name != "main" {
                let tokens: TokenStream = fs::read_to_string(&path).unwrap().parse().unwrap();
                let mut file = File::default();
                file.read_items(tokens);
                let mut module = module.clone();
                if name != "mod" && name != "lib" {
                    module.push(name);
                }
                self.files.insert(module, file);
            }
        }
    }

    /// The file that a path of another file leads to, if it leads into this crate.
    fn target(&self, from: &Module, path: &[String]) -> Option<Module> {
        let (first, mut rest) = path.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "self" => from.clone(),
            "super" => from.split_last()?.1.to_vec(),
            child => [from.as_slice(), &[child.to_owned()]].concat(),
        };
        while let Some((next, after)) = rest.split_first().filter(|(next, _)| *next == "super") {
            let _ = next;
            (base, rest) = (base.split_last()?.1.to_vec(), after);
        }
        self.follow(base, rest, 0)
    }

    /// Goes from a module down a path, through re-exports to the file that defines its end.
    fn follow(&self, mut module: Module, mut rest: &[String], steps: usize) -> Option<Module> {
        self.files.get(&module)?;
        while let Some((next, after)) = rest.split_first() {
            let child = [module.as_slice(), std::slice::from_ref(next)].concat();
            if self.files.contains_key(&child) {
                (module, rest) = (child, after);
                continue;
            }
            let file = &self.files[&module];
            let exported = file.exports.get(next).cloned();
            let globbed = file.globs.iter().find_map(|glob| {
                let target = self.target(&module, glob)?;
                self.files[&target]
                    .types
                    .contains(next)
                    .then(|| [glob.as_slice(), std::slice::from_ref(next)].concat())
            });
            return match exported.or(globbed) {
                // A name may be passed on several times, but not for ever.
                Some(path) if steps < 8 => {
                    let path = [path.as_slice(), after].concat();
                    let (first, rest) = path.split_first()?;
                    let base = match first.as_str() {
                        "crate" => Vec::new(),
                        "self" => module.clone(),
                        "super" => module.split_last()?.1.to_vec(),
                        child => [module.as_slice(), &[child.to_owned()]].concat(),
                    };
                    self.follow(base, rest, steps + 1).or(Some(module))
                }
                _ => Some(module),
            };
        }
        Some(module)
    }

    /// Which files each file uses.
    fn uses(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let of = |(module, file): (&'_ Module, &File)| -> BTreeSet<Module> {
            let targets = file.paths.iter().filter_map(|path| self.target(module, path));
            targets.filter(|target| target != module).collect()
        };
        self.files.iter().map(|(module, file)| (module, of((module, file)))).collect()
    }
}

impl File {
    /// Reads the items of a module; what is compiled for tests alone is passed over.
    fn read_items(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        let (mut is_test, mut is_public) = (false, false);
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some(TokenTree::Group(attribute)) = tokens.next() {
                        let text = attribute.stream().to_string().replace(' ', "");
                        is_test |= text == "cfg(test)";
                    }
                    continue;
                }
                TokenTree::Ident(ident) => match ident.to_string().as_str() {
                    "pub" => {
                        is_public = true;
                        skip_visibility(&mut tokens);
                        continue;
                    }
                    "use" => {
                        let item: TokenStream =
                            tokens.by_ref().take_while(|token| !is_punct(token, ';')).collect();
                        if !is_test {
                            self.read_use(&mut Vec::new(), item, is_public);
                        }
                    }
                    "struct" | "enum" | "trait" | "type" | "union" if !is_test => {
                        if let Some(TokenTree::Ident(name)) = tokens.peek() {
                            self.types.insert(name.to_string());
                        }
                        continue;
                    }
                    "mod" => {
                        tokens.next();
                        if let Some(TokenTree::Group(body)) = tokens.peek() {
                            if !is_test {
                                self.read_items(body.stream());
                            }
                            tokens.next();
                        }
                    }
                    _ => {
                        let mut path = vec![ident.to_string()];
                        while let Some(next) = next_of_path(&mut tokens) {
                            path.push(next);
                        }
                        if path.len() > 1 && !is_test {
                            self.paths.insert(path);
                        }
                        continue;
                    }
                },
                // The visibility of pub(super), and the bodies of functions and types.
                TokenTree::Group(group) if !is_test => {
                    self.read_body(group.stream());
                    let ends_item = group.delimiter() == Delimiter::Brace;
                    if !ends_item {
                        continue;
                    }
                }
                TokenTree::Group(group) if group.delimiter() != Delimiter::Brace => continue,
                TokenTree::Punct(punct) if punct.as_char() != ';' => continue,
                _ => {}
            }
            (is_test, is_public) = (false, false);
        }
    }

    /// Reads the paths in an expression, a signature or the fields of a type.
    fn read_body(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => self.read_body(group.stream()),
                TokenTree::Ident(ident) if ident == "pub" => skip_visibility(&mut tokens),
                TokenTree::Ident(ident) if ident == "use" => {
                    let item: TokenStream =
                        tokens.by_ref().take_while(|token| !is_punct(token, ';')).collect();
                    self.read_use(&mut Vec::new(), item, false);
                }
                TokenTree::Ident(ident) => {
                    let mut path = vec![ident.to_string()];
                    while let Some(next) = next_of_path(&mut tokens) {
                        path.push(next);
                    }
                    if path.len() > 1 {
                        self.paths.insert(path);
                    }
                }
                _ => {}
            }
        }
    }

    /// Reads the tree of a `use` item behind a prefix.
    fn read_use(&mut self, prefix: &mut Vec<String>, tree: TokenStream, is_public: bool) {
        let length = prefix.len();
        let mut tokens = tree.into_iter().peekable();
        let mut alias = None;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(ident) if ident == "as" => {
                    alias = tokens.next().map(|name| name.to_string());
                }
                TokenTree::Ident(ident) if ident == "self" && !prefix.is_empty() => {}
                TokenTree::Ident(ident) => prefix.push(ident.to_string()),
                TokenTree::Group(group) => {
                    let mut branches = group.stream().into_iter().peekable();
                    while branches.peek().is_some() {
                        let branch = branches.by_ref().take_while(|token| !is_punct(token, ','));
                        self.read_use(prefix, branch.collect(), is_public);
                    }
                    prefix.truncate(length);
                    return;
                }
                TokenTree::Punct(punct) if punct.as_char() == '*' => {
                    if is_public {
                        self.globs.push(prefix.clone());
                    } else {
                        self.paths.insert(prefix.clone());
                    }
                    prefix.truncate(length);
                    return;
                }
                _ => {}
            }
        }
        if let Some(name) = alias.or_else(|| prefix.last().cloned()) {
            if is_public {
                self.exports.insert(name, prefix.clone());
            } else {
                self.paths.insert(prefix.clone());
            }
        }
        prefix.truncate(length);
    }
}

/// Passes over where something is visible, as in `pub(in super::super)`.
fn skip_visibility(tokens: &mut std::iter::Peekable<impl Iterator<Item = TokenTree>>) {
    let is_group = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis);
    tokens.next_if(is_group);
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

/// Takes `::name` off the tokens, if that is next.
fn next_of_path(
    tokens: &mut std::iter::Peekable<impl Iterator<Item = TokenTree> + Clone>,
) -> Option<String> {
    let mut ahead = tokens.clone();
    for _ in 0..2 {
        ahead.next().filter(|token| is_punct(token, ':'))?;
    }
    let TokenTree::Ident(name) = ahead.next()? else { return None };
    *tokens = ahead;
    Some(name.to_string())
}

/// The rooms and single files of the source, from the top down, as docs/design.md lists them.
fn listed_rooms() -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/design.md"));
    let page = page.unwrap();
    let table = page.split("## The source").nth(1).unwrap().split("\n## ").next().unwrap();
    let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let name = |cell: &str| cell.trim_end_matches('/').trim_end_matches(".rs").to_owned();
    cells.map(name).collect()
}

fn shown(module: &Module) -> String {
    if module.is_empty() { "lib".to_owned() } else { module.join("/") }
}

#[test]
fn a_room_uses_only_the_rooms_above_it() {
    let rooms = listed_rooms();
    let place = |room: &String| rooms.iter().position(|listed| listed == room);
    let mut wrong = BTreeSet::new();
    for (module, uses) in HOUSE.uses() {
        let Some(room) = module.first() else { continue };
        assert!(place(room).is_some(), "docs/design.md does not list {room}");
        for used in uses.iter().filter_map(|used| used.first()).filter(|used| *used != room) {
            let is_above = match ALONE.iter().find(|(alone, _)| alone == room) {
                Some((_, allowed)) => allowed.contains(&used.as_str()),
                None => place(used) < place(room),
            };
            if !is_above {
                wrong.insert(format!("{} uses {used}", shown(module)));
            }
        }
    }
    assert!(wrong.is_empty(), "a room uses one that is not above it:\n{wrong:#?}");
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let uses = HOUSE.uses();
    let reach = |from: &Module| {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = next.pop() {
            for used in uses.get(&module).into_iter().flatten() {
                if reached.insert(used.clone()) {
                    next.push(used.clone());
                }
            }
        }
        reached
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> =
        uses.keys().map(|module| (*module, reach(module))).collect();
    let mut circles = BTreeSet::new();
    for (module, uses) in &uses {
        for used in uses {
            if reached.get(used).is_some_and(|back| back.contains(*module)) {
                circles.insert(format!("{} -> {}", shown(module), shown(used)));
            }
        }
    }
    assert!(circles.is_empty(), "these uses are part of a circle:\n{circles:#?}");
}

#[test]
fn every_type_has_a_name_of_its_own() {
    let mut named: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (module, file) in &HOUSE.files {
        for name in &file.types {
            named.entry(name).or_default().push(shown(module));
        }
    }
    named.retain(|_, files| files.len() > 1);
    let unlisted: Vec<_> = named
        .iter()
        .filter(|(name, _)| !SHARED_NAMES.iter().any(|(known, _)| known == *name))
        .collect();
    assert!(unlisted.is_empty(), "several types have these names:\n{unlisted:#?}");
    let unused: Vec<_> =
        SHARED_NAMES.iter().filter(|(name, _)| !named.contains_key(name)).collect();
    assert!(unused.is_empty(), "these exceptions are needed no more: {unused:?}");
}
