//! Tables: widths of columns, rows that turn pages, headings that are repeated on each page.

use super::super::sheet::{Column, Fact, Table};
use super::flow::{Flow, LINE, Role, SIDE, SOFT, Style, WIDTH};
use super::fonts::Weight;
use super::lines::widest_word;

const GAP: f32 = 7.0;
const PADDING: f32 = 2.6;

/// One cell of a row: its lines, and where they stand.
struct Cell {
    lines: Vec<String>,
    x: f32,
    width: f32,
    number: bool,
    branch: usize,
}

/// Widths of columns that together fill the line. Numbers and short words keep their room, the rest
/// is shared by weight.
fn widths(flow: &Flow<'_, '_>, table: &Table, head: Style, body: Style) -> Vec<f32> {
    let total = WIDTH - GAP * column_count(table.columns.len().saturating_sub(1));
    let measure = |column: usize, whole: bool| {
        let of = |text: &str, style: Style| {
            let text = flow.fonts.drawable(text);
            let width = if whole {
                flow.fonts.width(&text, style.weight)
            } else {
                widest_word(flow.fonts, &text, style.weight)
            };
            width * style.size + 0.5
        };
        // Words of a heading stay whole, Chinese ones too, which could be broken anywhere.
        let words = table.columns[column].heading.split_whitespace();
        let title = words
            .map(|word| flow.fonts.width(&flow.fonts.drawable(word), head.weight) * head.size + 0.5)
            .fold(0.0, f32::max);
        let title = if whole && !table.columns[column].number {
            of(&table.columns[column].heading, head)
        } else {
            title
        };
        table.rows.iter().map(|row| of(&row[column], body)).fold(title, f32::max)
    };
    let columns = 0..table.columns.len();
    let natural: Vec<f32> = columns.clone().map(|column| measure(column, true)).collect();
    if natural.iter().sum::<f32>() <= total {
        let spare = total - natural.iter().sum::<f32>();
        return share(&table.columns, &natural, spare);
    }
    let least: Vec<f32> = columns
        .map(|column| measure(column, table.columns[column].number).min(total * 0.3))
        .collect();
    let sum: f32 = least.iter().sum();
    if sum > total {
        return least.iter().map(|width| width * total / sum).collect();
    }
    share(&table.columns, &least, total - sum)
}

#[expect(clippy::cast_precision_loss, reason = "tables have few columns")]
fn column_count(columns: usize) -> f32 {
    columns as f32
}

/// Gives what is spare to columns of words, by their weight.
fn share(columns: &[Column], least: &[f32], spare: f32) -> Vec<f32> {
    let weight = |column: &Column| if column.number { 0.0 } else { f32::from(column.weight) };
    let all: f32 = columns.iter().map(weight).sum::<f32>().max(1.0);
    columns.iter().zip(least).map(|(column, width)| width + spare * weight(column) / all).collect()
}

/// Lays a table out.
pub(super) fn table(flow: &mut Flow<'_, '_>, table: &Table) {
    let head = Style { weight: Weight::Bold, ..Style::soft(7.2) };
    let body = Style::plain(7.8);
    let widths = widths(flow, table, head, body);
    flow.within(Role::Table, |flow| {
        let heads: Vec<String> = table.columns.iter().map(|one| one.heading.clone()).collect();
        flow.within(Role::Head, |flow| {
            let row = flow.branch(Role::Row);
            let cells = cells(flow, table, &heads, &widths, (head, row), &|_| Role::ColumnHead);
            flow.need(height(&cells, head) + 40.0);
            draw_head(flow, &cells, head, true);
        });
        let body_branch = flow.branch(Role::Body);
        let again = cells_of_head(flow, table, &heads, &widths, head);
        for row in &table.rows {
            flow.under(body_branch, |flow| {
                let branch = flow.branch(Role::Row);
                let role = |column: usize| if column == 0 { Role::RowHead } else { Role::Cell };
                let cells = cells(flow, table, row, &widths, (body, branch), &role);
                draw_row(flow, cells, body, &|flow| draw_head(flow, &again, head, false));
            });
        }
    });
}

/// The heading for other pages: decoration, because the tree has it once.
fn cells_of_head(
    flow: &Flow<'_, '_>,
    table: &Table,
    heads: &[String],
    widths: &[f32],
    style: Style,
) -> Vec<Cell> {
    let mut x = SIDE;
    let mut cells = Vec::new();
    for ((words, width), column) in heads.iter().zip(widths).zip(&table.columns) {
        let lines = flow.broken(words, style, *width);
        cells.push(Cell { lines, x, width: *width, number: column.number, branch: 0 });
        x += width + GAP;
    }
    cells
}

fn cells(
    flow: &mut Flow<'_, '_>,
    table: &Table,
    row: &[String],
    widths: &[f32],
    (style, branch): (Style, usize),
    role: &dyn Fn(usize) -> Role,
) -> Vec<Cell> {
    let mut cells = cells_of_head(flow, table, row, widths, style);
    flow.under(branch, |flow| {
        for (number, cell) in cells.iter_mut().enumerate() {
            cell.branch = flow.branch(role(number));
        }
    });
    cells
}

fn height(cells: &[Cell], style: Style) -> f32 {
    let lines = cells.iter().map(|cell| cell.lines.len()).max().unwrap_or(1);
    column_count(lines) * style.leading() + 2.0 * PADDING
}

fn draw_head(flow: &mut Flow<'_, '_>, cells: &[Cell], style: Style, meant: bool) {
    let height = height(cells, style);
    let top = flow.y;
    for cell in cells {
        // Headings stand on the rule below them.
        let empty = height - 2.0 * PADDING - column_count(cell.lines.len()) * style.leading();
        for (number, line) in cell.lines.iter().enumerate() {
            let y = top + PADDING + empty + column_count(number) * style.leading();
            draw_line(flow, cell, line, y, style, meant);
        }
    }
    flow.y += height;
    flow.bar((SIDE, flow.y), (WIDTH, 0.9), SOFT);
    flow.space(1.2);
}

fn draw_line(flow: &mut Flow<'_, '_>, cell: &Cell, line: &str, y: f32, style: Style, meant: bool) {
    let x = if cell.number {
        cell.x + cell.width - flow.fonts.width(line.trim_end(), style.weight) * style.size
    } else {
        cell.x
    };
    flow.line((x, y), line, style, meant.then_some(cell.branch));
}

/// Draws a row. One that does not fit goes to the next page; one that fits no page is divided.
fn draw_row(
    flow: &mut Flow<'_, '_>,
    mut cells: Vec<Cell>,
    style: Style,
    head: &dyn Fn(&mut Flow<'_, '_>),
) {
    if height(&cells, style) > flow.room() {
        let whole_page = Flow::page_room() - 60.0;
        if height(&cells, style) <= whole_page || flow.room() < 6.0 * style.leading() {
            flow.turn();
            head(flow);
        }
    }
    loop {
        let mut fitting = 1;
        while column_count(fitting + 1) * style.leading() + 2.0 * PADDING <= flow.room() {
            fitting += 1;
        }
        let mut used = 0;
        for cell in &mut cells {
            let now: Vec<String> = cell.lines.drain(..fitting.min(cell.lines.len())).collect();
            used = used.max(now.len());
            for (number, line) in now.iter().enumerate() {
                let y = flow.y + PADDING + column_count(number) * style.leading();
                draw_line(flow, cell, line, y, style, true);
            }
        }
        flow.y += column_count(used) * style.leading() + 2.0 * PADDING;
        flow.bar((SIDE, flow.y), (WIDTH, 0.4), LINE);
        flow.space(0.6);
        if cells.iter().all(|cell| cell.lines.is_empty()) {
            return;
        }
        flow.turn();
        head(flow);
    }
}

/// A table of two columns without a heading: what it is, and what it says.
pub(super) fn facts(flow: &mut Flow<'_, '_>, facts: &[Fact], label_width: f32, style: Style) {
    let soft = Style { ink: SOFT, ..style };
    let value = (SIDE + label_width + GAP, WIDTH - label_width - GAP);
    flow.within(Role::Table, |flow| {
        for fact in facts {
            flow.within(Role::Row, |flow| {
                let (head, cell) = (flow.branch(Role::RowHead), flow.branch(Role::Cell));
                let labels = flow.broken(&fact.label, soft, label_width);
                let values = flow.broken(&fact.value, style, value.1);
                let lines = labels.len().max(values.len());
                let whole = column_count(lines) * style.leading() + 2.0 * PADDING;
                if whole <= Flow::page_room() {
                    flow.need(whole);
                }
                for number in 0..lines {
                    flow.need(style.leading() + PADDING);
                    let y = flow.y + PADDING;
                    if let Some(line) = labels.get(number) {
                        flow.line((SIDE, y), line, soft, Some(head));
                    }
                    if let Some(line) = values.get(number) {
                        flow.line((value.0, y), line, style, Some(cell));
                    }
                    flow.y += style.leading();
                }
                flow.space(2.0 * PADDING);
                flow.bar((SIDE, flow.y), (WIDTH, 0.4), LINE);
            });
        }
    });
}
