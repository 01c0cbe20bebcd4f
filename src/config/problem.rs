//! Problems that a person can mend: where, what is wrong, and what to write instead.
//!
//! A problem never repeats a secret; where the line itself may hold one, it is not shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::yaml::Span;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The folder cannot be used.
    Error,
    /// The folder can be used; somebody should look.
    Warning,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to the instance's folder.
    pub file: Arc<str>,
    /// Where in the file.
    pub span: Span,
    /// Path in the document, such as `rules[2].period`.
    pub path: Arc<str>,
}

impl Place {
    /// The beginning of a file.
    pub fn start_of(file: &str) -> Self {
        Self {
            file: file.into(),
            span: Span { line: 1, column: 1, offset: 0, length: 0 },
            path: "".into(),
        }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The line may hold a secret and is not shown.
    pub secret: bool,
    /// It is wrong to write it now; what was in force when it was allowed is read all the same.
    pub only_where_written: bool,
}

impl Problem {
    /// An error.
    pub fn error(place: &Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place: place.clone(),
            message: message.into(),
            help: None,
            secret: false,
            only_where_written: false,
        }
    }

    /// A warning.
    pub fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// The same with what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, but none in files that were in force before it was wrong: what was planned by them is
    /// carried out by them.
    #[must_use]
    pub fn only_where_written(mut self) -> Self {
        self.only_where_written = true;
        self
    }

    /// The same without showing the line.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// Everything that is wrong with a folder.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    /// The problems, in the order of files and lines.
    pub found: Vec<Problem>,
    /// The texts of the files, by name, to show the places.
    pub sources: BTreeMap<String, String>,
}

impl Problems {
    /// Sorts by file and line; the same problem is told once.
    pub fn settle(&mut self) {
        self.found.sort_by(|one, other| {
            (&one.place.file, one.place.span.line, one.place.span.column, &one.message).cmp(&(
                &other.place.file,
                other.place.span.line,
                other.place.span.column,
                &other.message,
            ))
        });
        self.found.dedup();
        for problem in self.found.iter().filter(|problem| problem.secret) {
            if let Some(source) = self.sources.get_mut(&*problem.place.file) {
                let span = problem.place.span;
                hide(source, span.offset, span.offset.saturating_add(span.length));
            }
        }
        self.sources.values_mut().for_each(hide_credentials);
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.found.iter().filter(|problem| problem.severity == Severity::Error).count()
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&super::report::short(self))
    }
}

impl std::error::Error for Problems {}

/// Writes stars over a part of a text; places after it stay where they are.
fn hide(text: &mut String, from: usize, to: usize) {
    let to = to.min(text.len());
    if from < to && text.is_char_boundary(from) && text.is_char_boundary(to) {
        let stars: String = text[from..to]
            .chars()
            .flat_map(|one| std::iter::repeat_n('*', one.len_utf8()))
            .collect();
        text.replace_range(from..to, &stars);
    }
}

/// Writes stars over what stands between `://` and `@`, wherever somebody wrote it.
fn hide_credentials(text: &mut String) {
    let mut next = 0;
    while let Some(found) = text[next..].find("://") {
        let from = next + found + 3;
        let word = text[from..].split(|one: char| one.is_whitespace() || one == '"' || one == '\'');
        let length = word.into_iter().next().and_then(|word| word.rfind('@'));
        if let Some(length) = length {
            hide(text, from, from + length);
        }
        next = from;
    }
}

/// The known name that is nearest to `name`, if any is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let most = (name.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|one| (distance(&wanted, &one.to_lowercase()), one))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, one)| one)
}

/// What to say of a name that is not known: the nearest one, or all if there are few.
pub fn instead<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    if known.is_empty() {
        return "there is none yet".to_owned();
    }
    let shown: Vec<String> = known.iter().take(12).map(|one| format!("`{one}`")).collect();
    let more = if known.len() > shown.len() { ", …" } else { "" };
    format!("known: {}{more}", shown.join(", "))
}

/// Edits between two texts, a swap of neighbours counted as one; bounded by their length.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(100).collect();
    let other: Vec<char> = other.chars().take(100).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, here) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, there) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(here != there);
            let mut fewest = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            let swapped = row > 0
                && column > 0
                && one[row - 1] == *there
                && other[column - 1] == *here
                && here != there;
            if swapped {
                fewest = fewest.min(before[column - 1] + 1);
            }
            next.push(fewest);
        }
        before = last;
        last = next;
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        assert_eq!(nearest("perdio", ["period", "rule"]), Some("period"));
        assert_eq!(nearest("acount.contact", ["account.contact", "x"]), Some("account.contact"));
        assert_eq!(nearest("zebra", ["period", "rule"]), None);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(instead("zebra", ["period", "rule"]), "known: `period`, `rule`");
    }
}
