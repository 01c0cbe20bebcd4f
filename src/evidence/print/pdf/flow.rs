//! Where everything stands: pages of marks, and the tree that says what they mean.
//!
//! Nothing is drawn here, so that the number of pages is known before the first one is drawn. Each
//! mark belongs to a branch of the tree, or is decoration.

use super::super::sheet::Tone;
use super::fonts::{Fonts, Weight};
use super::lines::lines;

/// Width of a page of A4 in points.
pub(super) const PAGE_WIDTH: f32 = 595.28;
/// Height of a page of A4 in points.
pub(super) const PAGE_HEIGHT: f32 = 841.89;
/// Empty border left and right.
pub(super) const SIDE: f32 = 51.0;
/// Width between the borders.
pub(super) const WIDTH: f32 = PAGE_WIDTH - 2.0 * SIDE;
const TOP: f32 = 62.0;
const FIRST_TOP: f32 = 48.0;
const BOTTOM: f32 = PAGE_HEIGHT - 56.0;

/// A colour: red, green, blue.
pub(super) type Ink = (u8, u8, u8);

pub(super) const INK: Ink = (0x1b, 0x21, 0x27);
pub(super) const SOFT: Ink = (0x52, 0x5d, 0x67);
pub(super) const LINE: Ink = (0xd0, 0xd6, 0xda);

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) size: f32,
    pub(super) weight: Weight,
    pub(super) ink: Ink,
}

impl Style {
    pub(super) fn plain(size: f32) -> Self {
        Self { size, weight: Weight::Regular, ink: INK }
    }

    pub(super) fn bold(size: f32) -> Self {
        Self { size, weight: Weight::Bold, ink: INK }
    }

    pub(super) fn soft(size: f32) -> Self {
        Self { size, weight: Weight::Regular, ink: SOFT }
    }

    pub(super) fn leading(self) -> f32 {
        self.size * 1.42
    }
}

/// Something on a page, in points from its upper left corner.
#[derive(Debug, Clone)]
pub(super) enum Mark {
    Text { x: f32, base: f32, words: String, style: Style },
    Bar { x: f32, y: f32, width: f32, height: f32, ink: Ink },
    Code { x: f32, y: f32, side: f32, link: String },
    Sign { x: f32, y: f32, side: f32, tone: Tone, ink: Ink },
}

/// A mark and what it means; `None` is decoration.
pub(super) struct Placed {
    pub(super) mark: Mark,
    pub(super) branch: Option<usize>,
}

/// What a branch is.
#[derive(Debug, Clone)]
pub(super) enum Role {
    Document,
    Section,
    Heading(u16, String),
    Paragraph,
    List,
    Item,
    ItemBody,
    Table,
    Head,
    Body,
    Row,
    ColumnHead,
    RowHead,
    Cell,
    Figure(String),
}

/// A branch of the tree of meaning.
pub(super) struct Branch {
    pub(super) role: Role,
    pub(super) children: Vec<usize>,
}

/// A heading for the table of contents of the document.
pub(super) struct Entry {
    pub(super) words: String,
    pub(super) page: usize,
    pub(super) y: f32,
}

/// Pages that grow from top to bottom.
pub(super) struct Flow<'f, 'a> {
    pub(super) fonts: &'f Fonts<'a>,
    pub(super) pages: Vec<Vec<Placed>>,
    pub(super) tree: Vec<Branch>,
    pub(super) entries: Vec<Entry>,
    /// Where the next thing begins.
    pub(super) y: f32,
    /// The branch that things are put under.
    open: Vec<usize>,
}

impl<'f, 'a> Flow<'f, 'a> {
    pub(super) fn new(fonts: &'f Fonts<'a>) -> Self {
        let root = Branch { role: Role::Document, children: Vec::new() };
        Self {
            fonts,
            pages: vec![Vec::new()],
            tree: vec![root],
            entries: Vec::new(),
            y: FIRST_TOP,
            open: vec![0],
        }
    }

    /// Height that is left on this page.
    pub(super) fn room(&self) -> f32 {
        BOTTOM - self.y
    }

    /// Height of an empty page.
    pub(super) fn page_room() -> f32 {
        BOTTOM - TOP
    }

    pub(super) fn turn(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// Turns the page where less than this height is left.
    pub(super) fn need(&mut self, height: f32) {
        if self.room() < height {
            self.turn();
        }
    }

    pub(super) fn space(&mut self, height: f32) {
        self.y += height;
    }

    /// Space between two things, which the top of a page does not need.
    pub(super) fn gap(&mut self, height: f32) {
        if self.y > TOP {
            self.y += height;
        }
    }

    /// Adds a branch under the open one.
    pub(super) fn branch(&mut self, role: Role) -> usize {
        let number = self.tree.len();
        self.tree.push(Branch { role, children: Vec::new() });
        let parent = self.open.last().copied().unwrap_or(0);
        self.tree[parent].children.push(number);
        number
    }

    /// Puts what is laid out inside under a branch of its own.
    pub(super) fn within<T>(&mut self, role: Role, inside: impl FnOnce(&mut Self) -> T) -> T {
        let number = self.branch(role);
        self.under(number, inside)
    }

    /// Puts what is laid out inside under a branch that is there.
    pub(super) fn under<T>(&mut self, branch: usize, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.open.push(branch);
        let made = inside(self);
        self.open.pop();
        made
    }

    pub(super) fn place(&mut self, mark: Mark, branch: Option<usize>) {
        if let Some(page) = self.pages.last_mut() {
            page.push(Placed { mark, branch });
        }
    }

    pub(super) fn bar(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), ink: Ink) {
        self.place(Mark::Bar { x, y, width, height, ink }, None);
    }

    /// One line at a place; nothing moves.
    pub(super) fn line(
        &mut self,
        (x, top): (f32, f32),
        words: &str,
        style: Style,
        branch: Option<usize>,
    ) {
        let base = top + style.size * 1.07;
        self.place(Mark::Text { x, base, words: words.to_owned(), style }, branch);
    }

    /// Lines that a text takes in a width.
    pub(super) fn broken(&self, text: &str, style: Style, width: f32) -> Vec<String> {
        let plain = self.fonts.drawable(text);
        lines(self.fonts, &plain, (style.weight, style.size), width)
    }

    /// A text at the left, turning pages between lines.
    pub(super) fn text(&mut self, (x, width): (f32, f32), text: &str, style: Style, branch: usize) {
        for line in self.broken(text, style, width) {
            self.need(style.leading());
            self.line((x, self.y), &line, style, Some(branch));
            self.y += style.leading();
        }
    }

    pub(super) fn paragraph(&mut self, place: (f32, f32), text: &str, style: Style) {
        let branch = self.branch(Role::Paragraph);
        self.text(place, text, style, branch);
    }

    /// A heading that is not left alone at the foot of a page, with an entry in the contents.
    pub(super) fn heading(&mut self, level: u16, words: &str, style: Style, keep: f32) {
        self.need(style.leading() + keep);
        let entry = Entry { words: words.to_owned(), page: self.pages.len() - 1, y: self.y };
        if level <= 2 {
            self.entries.push(entry);
        }
        let branch = self.branch(Role::Heading(level, words.to_owned()));
        self.text((SIDE, WIDTH), words, style, branch);
    }

    /// Sentences with a sign in front of each.
    pub(super) fn items(&mut self, (x, width): (f32, f32), items: &[String], style: Style) {
        let indent = style.size * 1.1;
        self.within(Role::List, |flow| {
            for item in items {
                flow.within(Role::Item, |flow| {
                    flow.need(style.leading());
                    let (middle, dot) = (flow.y + style.size * 0.72, style.size * 0.24);
                    flow.bar((x + dot, middle - dot / 2.0), (dot, dot), SOFT);
                    let body = flow.branch(Role::ItemBody);
                    flow.text((x + indent, width - indent), item, style, body);
                });
                flow.space(style.size * 0.22);
            }
        });
    }
}
