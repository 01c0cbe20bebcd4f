//! Fonts of the PDF: two European and two Chinese ones inside the program, and those handed in.
//!
//! No character is dropped: what no font can draw is written as its code point, such as
//! `<U+9F98>`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Write as _;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::ttf_parser::Tag;
use rustybuzz::{Feature, UnicodeBuffer};

use super::super::Language;

const LATIN_REGULAR: &[u8] = include_bytes!("../fonts/latin-regular.ttf");
const LATIN_BOLD: &[u8] = include_bytes!("../fonts/latin-bold.ttf");
const CHINESE_REGULAR: &[u8] = include_bytes!("../fonts/chinese-regular.otf");
const CHINESE_BOLD: &[u8] = include_bytes!("../fonts/chinese-bold.otf");

/// A font of the machine.
#[derive(Debug, Clone)]
pub struct ExtraFont {
    /// The file.
    pub bytes: Vec<u8>,
    /// Number of the font in a collection; 0 elsewhere.
    pub index: u32,
}

/// How heavy letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Weight {
    Regular,
    Bold,
}

struct Face<'a> {
    font: Font,
    shaper: rustybuzz::Face<'a>,
    units: f32,
}

/// A piece of a line in one font, with the width of its letters in parts of the font size.
pub(super) struct Run {
    pub(super) font: Font,
    pub(super) glyphs: Vec<KrillaGlyph>,
    pub(super) text: String,
    pub(super) width: f32,
}

/// All fonts, in the order in which they are tried.
pub(super) struct Fonts<'a> {
    regular: Vec<Face<'a>>,
    bold: Vec<Face<'a>>,
    chinese: bool,
    widths: RefCell<HashMap<(Weight, String), f32>>,
    spelt: Cell<bool>,
}

impl<'a> Fonts<'a> {
    /// Opens all fonts. Those handed in that cannot be read are left out.
    pub(super) fn open(language: Language, extra: &'a [ExtraFont]) -> Option<Self> {
        let inside = |bytes: &'static [u8]| face(bytes, 0, bytes.into());
        let mut regular = vec![inside(LATIN_REGULAR)?, inside(CHINESE_REGULAR)?];
        let mut bold = vec![inside(LATIN_BOLD)?, inside(CHINESE_BOLD)?];
        for one in extra {
            regular.extend(face(&one.bytes, one.index, one.bytes.clone().into()));
            bold.extend(face(&one.bytes, one.index, one.bytes.clone().into()));
        }
        Some(Self {
            regular,
            bold,
            chinese: language == Language::Chinese,
            widths: RefCell::default(),
            spelt: Cell::new(false),
        })
    }

    fn faces(&self, weight: Weight) -> &[Face<'a>] {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    /// The font that draws a character; `None` where none does.
    fn face_of(&self, character: char, weight: Weight) -> Option<usize> {
        let faces = self.faces(weight);
        let draws = |face: &Face<'_>| face.shaper.glyph_index(character).is_some();
        // In Chinese texts quotation marks and dashes are as wide as characters.
        if self.chinese && ('\u{2010}'..='\u{2027}').contains(&character) && draws(&faces[1]) {
            return Some(1);
        }
        faces.iter().position(draws)
    }

    /// Whether the fonts draw every character of a text.
    pub(super) fn draw_all(&self, text: &str) -> bool {
        let drawn = |one: char| one.is_control() || self.face_of(one, Weight::Regular).is_some();
        text.chars().all(drawn)
    }

    /// The text with everything that no font draws written as code points.
    pub(super) fn drawable(&self, text: &str) -> String {
        let mut plain = String::with_capacity(text.len());
        for one in text.chars() {
            if one.is_whitespace() {
                plain.push(if one == '\u{a0}' { one } else { ' ' });
            } else if one.is_control() {
                plain.push('\u{fffd}');
            } else if self.face_of(one, Weight::Regular).is_some()
                && self.face_of(one, Weight::Bold).is_some()
            {
                plain.push(one);
            } else {
                self.spelt.set(true);
                // Memory takes everything.
                write!(plain, "<U+{:04X}>", u32::from(one)).unwrap_or_default();
            }
        }
        plain
    }

    /// Whether something was written as a code point.
    pub(super) fn spelt(&self) -> bool {
        self.spelt.get()
    }

    /// A line as pieces, each in one font.
    pub(super) fn runs(&self, text: &str, weight: Weight) -> Vec<Run> {
        let faces = self.faces(weight);
        let mut pieces: Vec<(usize, String)> = Vec::new();
        for one in text.chars() {
            let last = pieces.last().map(|(face, _)| *face);
            let chosen = if one == ' ' { last } else { None };
            let chosen = chosen.or_else(|| self.face_of(one, weight)).unwrap_or(0);
            match pieces.last_mut() {
                Some((face, piece)) if *face == chosen => piece.push(one),
                _ => pieces.push((chosen, one.to_string())),
            }
        }
        pieces.into_iter().map(|(face, text)| shape(&faces[face], text)).collect()
    }

    /// Width of a line in parts of the font size.
    pub(super) fn width(&self, text: &str, weight: Weight) -> f32 {
        let key = (weight, text.to_owned());
        if let Some(width) = self.widths.borrow().get(&key) {
            return *width;
        }
        let width = self.runs(text, weight).iter().map(|run| run.width).sum();
        self.widths.borrow_mut().insert(key, width);
        width
    }
}

fn face(bytes: &[u8], index: u32, data: krilla::Data) -> Option<Face<'_>> {
    let font = Font::new(data, index)?;
    let shaper = rustybuzz::Face::from_slice(bytes, index)?;
    let units = font.units_per_em();
    Some(Face { font, shaper, units })
}

#[expect(clippy::cast_precision_loss, reason = "advances of letters are small numbers")]
fn shape(face: &Face<'_>, text: String) -> Run {
    let mut buffer = UnicodeBuffer::new();
    buffer.push_str(&text);
    buffer.set_direction(rustybuzz::Direction::LeftToRight);
    buffer.guess_segment_properties();
    // Names such as `order.billing` are easier to read where no letter stands over the next.
    let features = [b"kern", b"liga"].map(|name| Feature::new(Tag::from_bytes(name), 0, ..));
    let shaped = rustybuzz::shape(&face.shaper, &features, buffer);
    let (infos, positions) = (shaped.glyph_infos(), shaped.glyph_positions());
    let mut glyphs = Vec::with_capacity(infos.len());
    let mut width = 0.0;
    for (number, (info, position)) in infos.iter().zip(positions).enumerate() {
        let start = info.cluster as usize;
        let next = infos[number..].iter().find(|one| one.cluster != info.cluster);
        let end = next.map_or(text.len(), |one| one.cluster as usize);
        let part = |units: i32| units as f32 / face.units;
        width += part(position.x_advance);
        glyphs.push(KrillaGlyph::new(
            GlyphId::new(info.glyph_id),
            part(position.x_advance),
            part(position.x_offset),
            part(position.y_offset),
            part(position.y_advance),
            start..end.max(start),
            None,
        ));
    }
    Run { font: face.font.clone(), glyphs, text, width }
}

#[cfg(test)]
mod tests {
    use super::super::super::LANGUAGES;
    use super::super::super::words::{Words, phrase};
    use super::*;
    use crate::evidence::certificate::{OF_A_DRILL, STANDING_LIMITS};

    #[test]
    fn the_fonts_inside_draw_every_text_in_both_weights() {
        for language in LANGUAGES {
            let fonts = Fonts::open(language, &[]).expect("fonts");
            let limits = STANDING_LIMITS.iter().chain(&[OF_A_DRILL]);
            let limits = limits.map(|limit| phrase(language, limit));
            let texts = Words::of(language).all().into_iter();
            let months = (1..=12).map(|month| language.day(jiff::civil::date(2026, month, 1)));
            for text in texts.map(|(_, text)| text.to_owned()).chain(limits).chain(months) {
                assert_eq!(fonts.drawable(&text), text, "run fonts/make.sh anew");
            }
            assert!(!fonts.spelt());
        }
    }

    #[test]
    fn what_no_font_draws_is_written_as_code_points() {
        let fonts = Fonts::open(Language::English, &[]).expect("fonts");
        assert_eq!(fonts.drawable("a\u{9f98}\u{1f512}\u{7}b\tc"), "a<U+9F98><U+1F512>\u{fffd}b c");
        assert!(fonts.spelt());
        assert!(!fonts.draw_all("\u{9f98}") && fonts.draw_all("a b"));
    }

    #[test]
    fn a_font_that_was_handed_in_draws_what_the_others_cannot() {
        // The bold one plays a font of the machine: nothing else is needed of it here.
        let extra = [ExtraFont { bytes: CHINESE_BOLD.to_vec(), index: 0 }];
        let fonts = Fonts::open(Language::English, &extra).expect("fonts");
        assert_eq!(fonts.faces(Weight::Regular).len(), 3);
        let broken = [ExtraFont { bytes: b"no font".to_vec(), index: 0 }];
        let fonts = Fonts::open(Language::English, &broken).expect("fonts");
        assert_eq!(fonts.faces(Weight::Regular).len(), 2);
    }
}
