//! One tree out of the main file, the files it includes and the environment.
//!
//! Comes in: the main file's path and the environment. Goes out: the joined [`Table`]. Refuses: unreadable files,
//! `include` anywhere but in the main file, a file included twice, a plain pattern that matches nothing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::environment;
use super::files::{self, Purpose};
use super::problem::{Findings, Source, Spot};
use super::written::{self, Entry, Node, Table};

/// Everything that was written, in one tree. `None` if the main file could not be read.
pub(super) fn gather(
    main: &Rc<Source>,
    environment: &[(String, String)],
    findings: &Findings,
) -> Option<Table> {
    let mut gathering = Gathering {
        folder: files::folder_of(&main.name).to_path_buf(),
        seen: Vec::new(),
        findings,
    };
    let mut root = gathering.read(main)?;
    if let Some(include) = root.take("include") {
        for path in gathering.included(&include) {
            gathering.join(&mut root, &path, &include);
        }
    }
    environment::overlay(&mut root, environment, findings);
    Some(root)
}

struct Gathering<'a> {
    /// Patterns are relative to the folder of the main file.
    folder: PathBuf,
    /// Device and inode of every file read so far.
    seen: Vec<(u64, u64)>,
    findings: &'a Findings,
}

impl Gathering<'_> {
    /// `None` if there is nothing to join: unreadable (reported) or read before.
    fn read(&mut self, source: &Rc<Source>) -> Option<Table> {
        self.findings.sources.borrow_mut().add_file(&source.name);
        let contents = match files::read(&source.name, Purpose::Configuration) {
            Ok(contents) => contents,
            Err(error) => {
                let message = error.message(&source.name, Purpose::Configuration);
                // The file's name stands before every message already.
                let name = format!("{} ", source.name.display());
                let message = message.strip_prefix(&name).unwrap_or(&message);
                self.findings.unreadable(source, message.to_owned());
                return None;
            }
        };
        if self.seen.contains(&contents.identity) {
            self.findings.unreadable(
                source,
                "the same file was read already; include it once".to_owned(),
            );
            return None;
        }
        self.seen.push(contents.identity);
        match std::str::from_utf8(&contents.bytes) {
            Ok(text) => Some(written::parse(text, source, self.findings)),
            Err(error) => {
                let message = format!("not UTF-8 at byte {}", error.valid_up_to() + 1);
                self.findings.unreadable(source, message);
                None
            }
        }
    }

    fn join(&mut self, root: &mut Table, path: &Path, include: &Entry) {
        let source = Source::file(path, self.seen.len());
        let Some(mut table) = self.read(&source) else {
            return;
        };
        if let Some(inner) = table.take("include") {
            let place = inner.place;
            let key = inner.key;
            let message = format!(
                "only the main file includes others; move it to {}",
                include.place
            );
            self.findings.error(&Spot { place, key }, message);
        }
        root.join(table, "", self.findings);
    }

    /// The files that the patterns name, in the order to read them.
    fn included(&self, include: &Entry) -> Vec<PathBuf> {
        let Some(patterns) = include.node.list() else {
            let found = include.node.value.found();
            let message = format!("expected a list such as [\"conf.d/*.toml\"], found {found}");
            self.error(&include.node, "include".to_owned(), &message);
            return Vec::new();
        };
        let mut paths = Vec::new();
        for (index, node) in patterns.iter().enumerate() {
            let key = format!("include[{}]", index + 1);
            let expected = || format!("expected a file or a pattern, found {}", node.value.found());
            let matched = node
                .text()
                .ok_or_else(expected)
                .and_then(|pattern| self.matches(pattern));
            match matched {
                Ok(matched) => paths.extend(matched),
                Err(message) => self.error(node, key, &message),
            }
        }
        paths
    }

    fn error(&self, node: &Node, key: String, message: &str) {
        let place = node.place.clone();
        self.findings.error(&Spot { place, key }, message);
    }

    fn matches(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let path = self.folder.join(pattern);
        let (folder, name) = match pattern.rsplit_once('/') {
            Some((folder, name)) => (folder, name),
            None => ("", pattern),
        };
        if folder.contains('*') {
            return Err("\"*\" may stand in the last part of the path only".to_owned());
        }
        if !name.contains('*') {
            self.findings.sources.borrow_mut().add_file(&path);
            return if path.exists() {
                Ok(vec![path])
            } else {
                Err(format!("there is no file {}", path.display()))
            };
        }
        let folder = files::folder_of(&path);
        self.findings.sources.borrow_mut().add_pattern(folder, name);
        match files::names_in(folder) {
            Ok(names) => Ok(names
                .iter()
                .filter(|candidate| wildcard(name, candidate))
                .map(|candidate| folder.join(candidate))
                .collect()),
            // An empty drop-in folder and an absent one mean the same.
            Err(ErrorKind::NotFound) => Ok(Vec::new()),
            Err(kind) => Err(format!("{} cannot be listed: {kind}", folder.display())),
        }
    }
}

/// Whether `name` fits `pattern`, in which each `*` stands for any characters.
pub(super) fn wildcard(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(head) else {
        return false;
    };
    let Some((middle, tail)) = rest.rsplit_once('*') else {
        return name.ends_with(rest);
    };
    // The leftmost fit of each part leaves the most for the parts after it.
    for part in middle.split('*') {
        match name.split_once(part) {
            Some((_, after)) => name = after,
            None => return false,
        }
    }
    name.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::wildcard;

    #[test]
    fn wildcards() {
        for (pattern, name, fits) in [
            ("*.toml", "a.toml", true),
            ("*.toml", "a.toml.bak", false),
            ("*.toml", ".toml", true),
            ("a*b", "ab", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*bc*c", "abc", false),
            ("**", "x", true),
            ("a.toml", "a.toml", true),
            ("a.toml", "b.toml", false),
        ] {
            assert_eq!(wildcard(pattern, name), fits, "{pattern} {name}");
        }
    }
}
