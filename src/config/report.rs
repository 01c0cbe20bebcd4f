//! Problems as people and machines read them.

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
};
use serde_json::json;

use super::problem::{Problem, Problems, Severity};

/// Files with longer lines are named and not shown, in bytes.
const LONGEST_LINE: usize = 2_000;

/// One line a problem: `file:line:column: error: message`.
pub fn short(problems: &Problems) -> String {
    let mut text = String::new();
    for problem in &problems.found {
        let place = &problem.place;
        let help = problem.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        let path = if place.path.is_empty() { String::new() } else { format!(" [{}]", place.path) };
        let line = format!(
            "{}:{}:{}: {}: {}{help}{path}\n",
            place.file,
            place.span.line,
            place.span.column,
            word(problem.severity),
            problem.message,
        );
        text.push_str(&line);
    }
    text
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A list of problems for machines.
pub fn json(problems: &Problems) -> serde_json::Value {
    problems
        .found
        .iter()
        .map(|problem| {
            json!({
                "severity": problem.severity,
                "file": &*problem.place.file,
                "line": problem.place.span.line,
                "column": problem.place.span.column,
                "path": &*problem.place.path,
                "message": problem.message,
                "help": problem.help,
            })
        })
        .collect()
}

/// For people: the place underlined, and a last line that counts.
pub fn human(problems: &Problems, colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(100)
        .with_context_lines(1)
        .with_links(false);
    let mut text = String::new();
    for problem in &problems.found {
        let mut one = String::new();
        if handler.render_report(&mut one, diagnostic(problem, problems).as_ref()).is_err() {
            one = format!("{}: {}\n", problem.place.file, problem.message);
        }
        text.push_str(one.trim_start_matches('\n'));
        text.push('\n');
    }
    let errors = problems.errors();
    let warnings = problems.found.len() - errors;
    text.push_str(&counted(errors, warnings));
    text.push('\n');
    text
}

fn counted(errors: usize, warnings: usize) -> String {
    let some = |count: usize, word: &str| {
        if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
    };
    match (errors, warnings) {
        (_, 0) => some(errors, "error"),
        (0, _) => some(warnings, "warning"),
        _ => format!("{}, {}", some(errors, "error"), some(warnings, "warning")),
    }
}

fn diagnostic(problem: &Problem, problems: &Problems) -> Report {
    let place = &problem.place;
    let mut diagnostic =
        MietteDiagnostic::new(problem.message.clone()).with_severity(match problem.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        });
    if let Some(help) = &problem.help {
        diagnostic = diagnostic.with_help(help.clone());
    }
    let source =
        problems.sources.get(&*place.file).filter(|text| !problem.secret && is_lined(text));
    let Some(source) = source else {
        let position = format!("{}:{}:{}", place.file, place.span.line, place.span.column);
        diagnostic.message = format!("{position}: {}", problem.message);
        return Report::new(diagnostic);
    };
    let label = if place.path.is_empty() { None } else { Some(place.path.to_string()) };
    let (offset, length) = underlined(source, place.span.offset, place.span.length);
    diagnostic = diagnostic.with_label(LabeledSpan::new(label, offset, length));
    Report::new(diagnostic)
        .with_source_code(NamedSource::new(&*place.file, source.clone()).with_language("yaml"))
}

/// Whether a text has lines that people can look at.
fn is_lined(text: &str) -> bool {
    text.lines().all(|line| line.len() <= LONGEST_LINE)
}

/// The part of one line that is underlined: never past the line's end, never nothing where
/// something stands.
fn underlined(source: &str, offset: usize, length: usize) -> (usize, usize) {
    let offset = offset.min(source.len());
    let rest = source.get(offset..).unwrap_or_default();
    let line = rest.split(['\n', '\r']).next().unwrap_or_default();
    let line = line.split(" #").next().unwrap_or(line).trim_end();
    let length = if length == 0 { line.len() } else { length.min(line.len()) };
    (offset, length)
}
