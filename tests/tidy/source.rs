//! One source file, and what a scan of its text can find in it.

/// One file, in the three ways that the rules look at it.
pub struct Source {
    /// From the project's root, with `/`.
    pub path: String,
    pub raw: String,
    /// As `raw`, with comments and the insides of literals blanked out.
    pub code: String,
    /// As `code`, without what only tests see; empty for a file that only tests see.
    pub shipped: String,
}

impl Source {
    pub fn new(path: &str, raw: &str, for_tests: bool) -> Source {
        let code = if path.ends_with(".rs") {
            blank_comments_and_literals(raw)
        } else {
            String::new()
        };
        let shipped = if for_tests {
            String::new()
        } else {
            blank_test_items(&code)
        };
        Source {
            path: path.to_owned(),
            raw: raw.to_owned(),
            code,
            shipped,
        }
    }

    /// The room below `src`, or "" for the roots `lib.rs` and `main.rs` and for files elsewhere.
    pub fn room(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or_default();
        let room = below.split('/').next().unwrap().trim_end_matches(".rs");
        if ["lib", "main"].contains(&room) {
            ""
        } else {
            room
        }
    }

    /// How many `super::` lead from this file to the crate's root.
    pub fn depth(&self) -> usize {
        self.path.trim_end_matches("/mod.rs").matches('/').count()
    }

    pub fn complain(&self, offset: usize, what: &str) -> String {
        let line = self.raw[..offset].matches('\n').count() + 1;
        format!("{}:{line}: {what}", self.path)
    }
}

/// Paths, without `.rs`, of the modules that a file declares as `#[cfg(test)] mod name;`.
pub fn test_modules(path: &str, code: &str) -> Vec<String> {
    let folder = match path.rsplit_once('/') {
        Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder,
        _ => path.trim_end_matches(".rs"),
    };
    test_items(code)
        .filter_map(|(start, end)| {
            let name = code[start..end].strip_suffix(';')?.rsplit_once("mod ")?.1;
            Some(format!("{folder}/{name}"))
        })
        .collect()
}

fn blank_test_items(code: &str) -> String {
    let mut blanked = code.to_owned();
    for (start, end) in test_items(code) {
        blanked.replace_range(start..end, &blank(&code[start..end]));
    }
    blanked
}

/// From `#[cfg(test)]` to the end of the item below it.
fn test_items(code: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    code.match_indices("#[cfg(test)]").map(|(start, mark)| {
        let item = start + mark.len();
        let end = item_end(&code[item..]).unwrap_or(code.len() - item);
        (start, item + end)
    })
}

/// Where the item ends that starts the text: past its `;` or past the brace that closes its body.
pub fn item_end(text: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
        if depth == 0 && (c == ';' || c == '}') {
            return Some(at + 1);
        }
    }
    None
}

/// The first names behind `::` or `::{`: what a path from the crate's root reaches for.
pub fn path_heads(text: &str) -> Vec<&str> {
    let Some(text) = text.strip_prefix("::") else {
        return vec![];
    };
    let head = |part: &str| part.find(|c| !is_word(c)).unwrap_or(part.len());
    let Some(group) = text.strip_prefix('{') else {
        return vec![&text[..head(text)]];
    };
    let mut heads = vec![];
    let (mut depth, mut start) = (0_i32, 0);
    for (at, c) in group.char_indices() {
        if depth == 0 && (c == ',' || c == '}') {
            let part = group[start..at].trim_start();
            heads.push(&part[..head(part)]);
            start = at + 1;
        }
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            break;
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// Offsets of `word` where it stands alone. A word that starts with a mark may follow anything.
pub fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let free = !word.starts_with(is_word);
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| {
            let before = text[..*at].chars().next_back();
            let after = text[at + word.len()..].chars().next();
            (free || !before.is_some_and(is_word)) && !after.is_some_and(is_word)
        })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

pub fn blank_comments_and_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    while let Some(next) = text[code.len()..].chars().next() {
        let rest = &text[code.len()..];
        let hidden = comment(rest).or_else(|| literal(&code, rest));
        match hidden {
            Some(length) => code.push_str(&blank(&rest[..length])),
            None => code.push(next),
        }
    }
    code
}

/// As many bytes, with the line ends in place.
fn blank(text: &str) -> String {
    let blanked = |b| if b == b'\n' { '\n' } else { ' ' };
    text.bytes().map(blanked).collect()
}

fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    Some(at)
}

/// Length of the string or character literal that starts `text`; `before` tells `r"` from `for"`.
fn literal(before: &str, text: &str) -> Option<usize> {
    if text.starts_with('"') {
        return Some(quoted(text, '"'));
    }
    if let Some(inner) = text.strip_prefix('\'') {
        let mut chars = inner.chars();
        let first = chars.next()?;
        // Else a lifetime or a label.
        let closes = first == '\\' || chars.next() == Some('\'');
        return closes.then(|| quoted(text, '\''));
    }
    let after_r = text.strip_prefix('r')?;
    let before = before.trim_end_matches(['b', 'c']);
    let hashes = after_r.bytes().take_while(|b| *b == b'#').count();
    if before.ends_with(is_word) || !after_r[hashes..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inner = 1 + hashes + 1;
    let length = text[inner..].find(&end).map(|at| inner + at + end.len());
    Some(length.unwrap_or(text.len()))
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}
