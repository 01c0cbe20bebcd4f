//! Draws laid out pages, and ties what is drawn to the tree of meaning.

use std::num::NonZeroU16;

use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule, LineCap, LineJoin, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, ListNumbering, Node, SpanTag, TableHeaderScope,
    Tag, TagGroup, TagKind, TagTree,
};

use super::super::link::squares;
use super::super::sheet::Tone;
use super::flow::{Branch, Flow, Ink, Mark, PAGE_HEIGHT, PAGE_WIDTH, Placed, Role, Style};
use super::fonts::Fonts;

/// What stands at the head and the foot of a page.
pub(super) struct Frame {
    pub(super) marks: Vec<Mark>,
}

/// Draws all pages, each with its frame, and sets the tree.
pub(super) fn draw(document: &mut Document, flow: &Flow<'_, '_>, frames: &[Frame], language: &str) {
    let mut drawn: Vec<Vec<Identifier>> = Vec::new();
    drawn.resize_with(flow.tree.len(), Vec::new);
    let settings = PageSettings::from_wh(PAGE_WIDTH, PAGE_HEIGHT).unwrap_or_default();
    for (marks, frame) in flow.pages.iter().zip(frames) {
        let mut page = document.start_page_with(settings.clone());
        let mut surface = page.surface();
        for Placed { mark, branch } in marks {
            let tag = match branch {
                Some(_) if matches!(mark, Mark::Text { .. }) => ContentTag::Span(SpanTag::empty()),
                Some(_) => ContentTag::Other,
                None => ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)),
            };
            let identifier = surface.start_tagged(tag);
            draw_mark(&mut surface, flow.fonts, mark);
            surface.end_tagged();
            if let Some(branch) = branch {
                drawn[*branch].push(identifier);
            }
        }
        for mark in &frame.marks {
            surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Footer)));
            draw_mark(&mut surface, flow.fonts, mark);
            surface.end_tagged();
        }
        surface.finish();
        page.finish();
    }
    let mut tree = TagTree::new().with_lang(Some(language.to_owned()));
    if let Some(root) = flow.tree.first() {
        for child in &root.children {
            if let Some(node) = node(&flow.tree, &mut drawn, *child) {
                tree.push(node);
            }
        }
    }
    document.set_tag_tree(tree);
}

/// A branch with all below it; `None` where nothing of it was drawn.
fn node(tree: &[Branch], drawn: &mut [Vec<Identifier>], number: usize) -> Option<Node> {
    let branch = &tree[number];
    let mut children: Vec<Node> =
        std::mem::take(&mut drawn[number]).into_iter().map(Node::Leaf).collect();
    children.extend(branch.children.iter().filter_map(|child| node(tree, drawn, *child)));
    let cell = matches!(branch.role, Role::Cell | Role::RowHead | Role::ColumnHead);
    if children.is_empty() && !cell {
        return None;
    }
    Some(Node::Group(TagGroup::with_children(kind(&branch.role), children)))
}

fn kind(role: &Role) -> TagKind {
    match role {
        Role::Document => Tag::Part.into(),
        Role::Section => Tag::Section.into(),
        Role::Heading(level, title) => {
            Tag::Hn(NonZeroU16::new(*level).unwrap_or(NonZeroU16::MIN), Some(title.clone())).into()
        }
        Role::Paragraph => Tag::P.into(),
        Role::List => Tag::L(ListNumbering::Disc).into(),
        Role::Item => Tag::LI.into(),
        Role::ItemBody => Tag::LBody.into(),
        Role::Table => Tag::Table.into(),
        Role::Head => Tag::THead.into(),
        Role::Body => Tag::TBody.into(),
        Role::Row => Tag::TR.into(),
        Role::ColumnHead => Tag::TH(TableHeaderScope::Column).into(),
        Role::RowHead => Tag::TH(TableHeaderScope::Row).into(),
        Role::Cell => Tag::TD.into(),
        Role::Figure(alternative) => Tag::Figure(Some(alternative.clone())).into(),
    }
}

fn fill(ink: Ink) -> Fill {
    Fill {
        paint: rgb::Color::new(ink.0, ink.1, ink.2).into(),
        opacity: NormalizedF32::ONE,
        rule: FillRule::NonZero,
    }
}

fn draw_mark(surface: &mut Surface<'_>, fonts: &Fonts<'_>, mark: &Mark) {
    surface.set_stroke(None);
    match mark {
        Mark::Text { x, base, words, style } => {
            draw_text(surface, fonts, (*x, *base), words, *style);
        }
        Mark::Bar { x, y, width, height, ink } => {
            surface.set_fill(Some(fill(*ink)));
            let mut path = PathBuilder::new();
            if let Some(rect) = Rect::from_xywh(*x, *y, *width, *height) {
                path.push_rect(rect);
            }
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
        Mark::Code { x, y, side, link } => draw_code(surface, (*x, *y), *side, link),
        Mark::Sign { x, y, side, tone, ink } => draw_sign(surface, (*x, *y), *side, *tone, *ink),
    }
}

fn draw_text(
    surface: &mut Surface<'_>,
    fonts: &Fonts<'_>,
    (mut x, base): (f32, f32),
    words: &str,
    style: Style,
) {
    surface.set_fill(Some(fill(style.ink)));
    for run in fonts.runs(words, style.weight) {
        let start = Point::from_xy(x, base);
        surface.draw_glyphs(start, &run.glyphs, run.font.clone(), &run.text, style.size, false);
        x += run.width * style.size;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a code has at most 177 modules along a side")]
fn draw_code(surface: &mut Surface<'_>, (x, y): (f32, f32), side: f32, link: &str) {
    let Some(code) = squares(link) else { return };
    let module = side / code.side as f32;
    let mut path = PathBuilder::new();
    for (column, row, length) in code.runs {
        // A hair higher than a module, so that no viewer shows seams between rows.
        let rect = Rect::from_xywh(
            x + column as f32 * module,
            y + row as f32 * module,
            length as f32 * module,
            module * 1.02,
        );
        if let Some(rect) = rect {
            path.push_rect(rect);
        }
    }
    surface.set_fill(Some(fill((0, 0, 0))));
    if let Some(path) = path.finish() {
        surface.draw_path(&path);
    }
}

/// The sign of a verdict: it differs in shape, not in colour only.
fn draw_sign(surface: &mut Surface<'_>, (x, y): (f32, f32), side: f32, tone: Tone, ink: Ink) {
    let at = |one: f32| one * side / 24.0;
    let mut path = PathBuilder::new();
    let mut stroke = |points: &[(f32, f32)], closed: bool| {
        for (number, (left, top)) in points.iter().enumerate() {
            if number == 0 {
                path.move_to(x + at(*left), y + at(*top));
            } else {
                path.line_to(x + at(*left), y + at(*top));
            }
        }
        if closed {
            path.close();
        }
    };
    match tone {
        Tone::Good => stroke(&[(4.5, 12.5), (9.5, 17.5), (19.5, 6.5)], false),
        Tone::Mixed => {
            stroke(&[(12.0, 3.0), (2.5, 20.0), (21.5, 20.0)], true);
            stroke(&[(12.0, 9.5), (12.0, 14.5)], false);
            stroke(&[(12.0, 17.2), (12.0, 17.5)], false);
        }
        Tone::Bad => {
            stroke(&[(5.5, 5.5), (18.5, 18.5)], false);
            stroke(&[(18.5, 5.5), (5.5, 18.5)], false);
        }
        Tone::Past => {
            // A clock: short strokes with round joins are round enough.
            let circle: Vec<(f32, f32)> = (0_u8..48)
                .map(|step| f32::from(step) / 48.0 * std::f32::consts::TAU)
                .map(|angle| (12.0 + 9.0 * angle.cos(), 12.0 + 9.0 * angle.sin()))
                .collect();
            stroke(&circle, true);
            stroke(&[(12.0, 7.0), (12.0, 12.0), (15.5, 14.0)], false);
        }
    }
    surface.set_fill(None);
    surface.set_stroke(Some(Stroke {
        paint: rgb::Color::new(ink.0, ink.1, ink.2).into(),
        width: at(2.4),
        line_cap: LineCap::Round,
        line_join: LineJoin::Round,
        ..Stroke::default()
    }));
    if let Some(path) = path.finish() {
        surface.draw_path(&path);
    }
    surface.set_stroke(None);
}
