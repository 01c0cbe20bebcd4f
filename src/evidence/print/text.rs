//! The certificate as plain text of at most 96 columns, but for digests and names that are longer.
//! Chinese characters count as two columns, as terminals draw them.

use textwrap::Options;
use textwrap::core::display_width;

use super::Printing;
use super::sheet::{Fact, Part, Sheet, Table};
use super::words::Words;

const WIDTH: usize = 96;
const LABEL: usize = 28;
/// Columns of words before the counts of the overview; the place has a line of its own.
const OVERVIEW_WORDS: [usize; 3] = [0, 2, 3];

/// Prints the sheet.
pub fn print_text(sheet: &Sheet, printing: &Printing) -> String {
    let words = Words::of(printing.language);
    let mut text = String::new();
    line(&mut text, &sheet.title.to_uppercase());
    line(&mut text, &"=".repeat(display_width(&sheet.title)));
    text.push('\n');
    paragraph(&mut text, &sheet.verdict.word.to_uppercase(), 0);
    for sentence in &sheet.verdict.sentences {
        paragraph(&mut text, sentence, 0);
    }
    text.push('\n');
    facts(&mut text, &sheet.facts, 0);
    for part in &sheet.points {
        print_part(&mut text, part);
    }
    text.push('\n');
    paragraph(&mut text, words.no_weight, 0);
    if printing.language != super::Language::English {
        paragraph(&mut text, words.not_translated, 0);
    }
    for (number, table) in sheet.tables.iter().enumerate() {
        heading(&mut text, &table.heading);
        if number == 0 { overview(&mut text, table) } else { stacked(&mut text, table) }
    }
    for part in &sheet.lists {
        print_part(&mut text, part);
    }
    heading(&mut text, words.details);
    for (number, detail) in sheet.details.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        line(&mut text, &detail.heading);
        facts(&mut text, &detail.facts, 2);
    }
    heading(&mut text, words.background);
    facts(&mut text, &sheet.background, 0);
    heading(&mut text, words.proof);
    facts(&mut text, &sheet.proof, 0);
    if let Some(link) = &sheet.link {
        text.push('\n');
        line(&mut text, link);
        paragraph(&mut text, words.link_note, 0);
    }
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
    line(text, &"-".repeat(display_width(words)));
}

fn print_part(text: &mut String, part: &Part) {
    heading(text, &part.heading);
    for item in &part.items {
        if part.empty {
            paragraph(text, item, 0);
        } else {
            behind(text, "- ", item, 2);
        }
    }
}

fn facts(text: &mut String, facts: &[Fact], indent: usize) {
    for fact in facts {
        behind(text, &format!("{:indent$}{}", "", fact.label), &fact.value, LABEL);
    }
}

/// Writes words in lines that begin after `indent` columns.
fn paragraph(text: &mut String, words: &str, indent: usize) {
    behind(text, "", words, indent);
}

/// Writes words in lines that begin after `indent` columns, the first one behind a label. A label
/// that is too long for its place has a line of its own.
fn behind(text: &mut String, label: &str, words: &str, indent: usize) {
    let margin = " ".repeat(indent);
    let mut first = label.to_owned();
    if display_width(label) + usize::from(label != "- ") > indent && indent > 0 {
        line(text, label);
        first.clear();
    }
    first.push_str(&" ".repeat(indent.saturating_sub(display_width(&first))));
    let plain = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if plain.is_empty() {
        line(text, &first);
        return;
    }
    let options =
        Options::new(WIDTH).initial_indent(&first).subsequent_indent(&margin).break_words(false);
    for wrapped in textwrap::wrap(&plain, options) {
        line(text, &wrapped);
    }
}

fn overview(text: &mut String, table: &Table) {
    let chosen: Vec<usize> = (0..table.columns.len())
        .filter(|column| table.columns[*column].number || OVERVIEW_WORDS.contains(column))
        .collect();
    let width = |column: &usize| {
        let cells = table.rows.iter().map(|row| display_width(&row[*column]));
        cells.chain([display_width(&table.columns[*column].heading)]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = chosen.iter().map(width).collect();
    let heads: Vec<String> = table.columns.iter().map(|one| one.heading.clone()).collect();
    for (number, row) in [&heads].into_iter().chain(&table.rows).enumerate() {
        let cells = chosen.iter().zip(&widths).map(|(column, width)| {
            let space = " ".repeat(width.saturating_sub(display_width(&row[*column])));
            if table.columns[*column].number {
                space + &row[*column]
            } else {
                format!("{}{space}", row[*column])
            }
        });
        line(text, &cells.collect::<Vec<_>>().join("  "));
        if number > 0 {
            line(text, &format!("  {}", row[1]));
        }
    }
    if let Some(note) = &table.note {
        text.push('\n');
        paragraph(text, note, 0);
    }
}

/// Each row as a small table of two columns under its first cell.
fn stacked(text: &mut String, table: &Table) {
    for row in &table.rows {
        line(text, &row[0]);
        for (column, cell) in table.columns.iter().zip(row).skip(1) {
            behind(text, &format!("  {}", column.heading), cell, LABEL);
        }
    }
}
