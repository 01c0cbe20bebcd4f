//! The certificate as plain text of at most 96 columns, but for digests and names that are longer.

use std::fmt::Write as _;

use super::sheet::{COUNT_HEADINGS, Fact, NO_WEIGHT, Part, Row, Sheet};

const WIDTH: usize = 96;
const LABEL: usize = 28;

/// Prints the sheet.
pub fn print_text(sheet: &Sheet) -> String {
    let mut text = String::from("CERTIFICATE OF ERASURE\n======================\n\n");
    paragraph(&mut text, &format!("Result: {}. {}", sheet.overall, sheet.headline), 0);
    text.push('\n');
    paragraph(&mut text, NO_WEIGHT, 0);
    text.push('\n');
    facts(&mut text, &sheet.facts, 0);
    heading(&mut text, "Overview");
    overview(&mut text, &sheet.overview);
    for part in &sheet.parts {
        print_part(&mut text, part);
    }
    heading(&mut text, "Statements in full");
    for (number, detail) in sheet.details.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        line(&mut text, &detail.heading);
        facts(&mut text, &detail.facts, 2);
    }
    heading(&mut text, "Where the proof lies");
    facts(&mut text, &sheet.proof, 0);
    // Texts of the certificate must not steer the terminal that they are printed on.
    text.replace(|one: char| one.is_control() && one != '\n', "\u{fffd}")
}

fn line(text: &mut String, content: &str) {
    text.push_str(content.trim_end());
    text.push('\n');
}

fn heading(text: &mut String, words: &str) {
    text.push('\n');
    line(text, words);
    line(text, &"-".repeat(words.chars().count()));
}

fn print_part(text: &mut String, part: &Part) {
    heading(text, part.heading);
    if part.items.is_empty() {
        paragraph(text, part.nothing, 0);
    }
    for item in &part.items {
        let before = text.len();
        paragraph(text, item, 2);
        text.replace_range(before..=before, "-");
    }
}

fn facts(text: &mut String, facts: &[Fact], indent: usize) {
    for fact in facts {
        let before = text.len();
        paragraph(text, &fact.value, LABEL);
        let label = format!("{:indent$}{}", "", fact.label);
        text.replace_range(
            before..before + label.len().min(LABEL - 1),
            &label[..label.len().min(LABEL - 1)],
        );
    }
}

/// Writes words in lines that begin after `indent` spaces.
fn paragraph(text: &mut String, words: &str, indent: usize) {
    let mut width = 0;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            text.push('\n');
            width = 0;
        }
        if width == 0 {
            text.push_str(&" ".repeat(indent));
            width = indent;
        } else {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += length;
    }
    if width == 0 {
        text.push_str(&" ".repeat(indent));
    }
    text.push('\n');
}

fn overview(text: &mut String, rows: &[Row]) {
    let mut head: Vec<String> = vec![String::new(), "outcome".to_owned(), "verified".to_owned()];
    head.extend(COUNT_HEADINGS.map(str::to_owned));
    let body: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let mut cells = vec![row.id.clone(), row.outcome.to_owned(), row.verified.to_owned()];
            cells.extend(row.counts.iter().cloned());
            cells
        })
        .collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = body.iter().map(|cells| cells[column].chars().count());
            cells.chain([head[column].chars().count()]).max().unwrap_or(0)
        })
        .collect();
    print_cells(text, &head, &widths);
    for (row, cells) in rows.iter().zip(&body) {
        print_cells(text, cells, &widths);
        let _infallible = writeln!(text, "  {}", row.place);
    }
    text.push('\n');
    paragraph(
        text,
        "A record that went as a whole is counted for each of its categories; do not add up the \
         categories of one collection.",
        0,
    );
}

/// Words are flush left, counts flush right.
fn print_cells(text: &mut String, cells: &[String], widths: &[usize]) {
    const WORDS: usize = 3;
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .enumerate()
        .map(
            |(column, (cell, width))| {
                if column < WORDS { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            },
        )
        .collect();
    line(text, &padded.join("  "));
}
