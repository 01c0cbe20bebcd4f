//! The certificate as PDF/A-3 for archives, tagged for people who listen to it (PDF/UA-1), with the
//! signed files attached.
//!
//! One page for the verdict, tables after it with repeated headings and page numbers. The same
//! certificate gives the same bytes: dates are the certificate's own.

mod draw;
mod first_page;
mod flow;
mod fonts;
mod lines;
mod table;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use krilla::configure::{Accessibility, Archival, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::embed::{AssociationKind, EmbeddedFile, MimeType};
use krilla::geom::Point;
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::{Document, SerializeSettings};

use super::Printing;
use super::sheet::{Part, Sheet};
use super::words::{Words, fill};
use draw::Frame;
use flow::{Flow, Mark, PAGE_HEIGHT, Role, SIDE, Style, WIDTH};
use fonts::{Fonts, Weight};

pub use fonts::ExtraFont;

/// Sizes at which the first page is tried until it is one page.
const SCALES: [f32; 4] = [1.0, 0.93, 0.86, 0.8];

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// A font inside the program cannot be read.
    #[error("the fonts inside the program cannot be read")]
    Fonts,
    /// What was drawn is no PDF/A-3.
    #[error("the drawing is no PDF/A-3: {0}")]
    Invalid(String),
}

/// A file that is attached.
pub struct Attachment<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
    /// What it is to the document.
    pub kind: AttachmentKind,
}

/// What an attached file is to the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachmentKind {
    /// The document shows what it says.
    Source,
    /// What the certificate is about.
    Data,
    /// What one needs to check it.
    Supplement,
}

/// Prints the sheet as PDF. `made` is the moment that stands in the file as its date.
///
/// # Errors
/// Where the drawing keeps a rule of the standard not; no certificate is known to make that happen.
pub fn print_pdf(
    sheet: &Sheet,
    printing: &Printing,
    attachments: &[Attachment<'_>],
    made: Timestamp,
) -> Result<Vec<u8>, PdfError> {
    let extra = extra_fonts(sheet, printing)?;
    let fonts = Fonts::open(printing.language, &extra).ok_or(PdfError::Fonts)?;
    let words = Words::of(printing.language);
    let flow = laid_out(sheet, printing, words, &fonts);
    let frames = frames(sheet, words, &flow);
    let configuration = ConfigurationBuilder::new()
        .with_archival_validator(Archival::A3_A)
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| PdfError::Invalid(format!("{error:?}")))?;
    let mut document = Document::new_with(SerializeSettings {
        configuration,
        enable_tagging: true,
        ..SerializeSettings::default()
    });
    draw::draw(&mut document, &flow, &frames, printing.language.tag());
    document.set_metadata(metadata(sheet, printing, made));
    document.set_outline(outline(&flow));
    for one in attachments {
        document.embed_file(embedded(one, words, made));
    }
    document.finish().map_err(|error| PdfError::Invalid(format!("{error:?}")))
}

/// Fonts of the machine, asked for only where the ones inside do not draw everything.
fn extra_fonts(sheet: &Sheet, printing: &Printing) -> Result<Vec<ExtraFont>, PdfError> {
    let fonts = Fonts::open(printing.language, &[]).ok_or(PdfError::Fonts)?;
    let enough = sheet.texts().all(|text| fonts.draw_all(text));
    Ok(if enough { Vec::new() } else { (printing.more_fonts)() })
}

fn laid_out<'f, 'a>(
    sheet: &Sheet,
    printing: &Printing,
    words: &Words,
    fonts: &'f Fonts<'a>,
) -> Flow<'f, 'a> {
    let language = printing.language;
    let first = |scale| {
        let mut flow = Flow::new(fonts);
        first_page::first_page(&mut flow, sheet, words, language, scale);
        flow
    };
    let tried = SCALES.into_iter().map(first);
    let mut flow = None;
    for one in tried {
        let fits = one.pages.len() == 1;
        flow = Some(one);
        if fits {
            break;
        }
    }
    let mut flow = flow.unwrap_or_else(|| first(1.0));
    flow.turn();
    for table in &sheet.tables {
        section(&mut flow, &table.heading, |flow| {
            if let Some(note) = &table.note {
                flow.paragraph((SIDE, WIDTH), note, Style::soft(8.0));
                flow.space(4.0);
            }
            table::table(flow, table);
        });
    }
    for list in &sheet.lists {
        section(&mut flow, &list.heading, |flow| part(flow, list));
    }
    section(&mut flow, words.details, |flow| {
        for detail in &sheet.details {
            flow.gap(9.0);
            flow.heading(3, &detail.heading, Style::bold(9.2), 60.0);
            flow.space(2.0);
            table::facts(flow, &detail.facts, 100.0, Style::plain(7.8));
        }
    });
    section(&mut flow, words.background, |flow| {
        table::facts(flow, &sheet.background, 130.0, Style::plain(8.0));
    });
    section(&mut flow, words.proof, |flow| {
        table::facts(flow, &sheet.proof, 150.0, Style::plain(8.0));
    });
    section(&mut flow, words.attached, |flow| {
        flow.paragraph((SIDE, WIDTH), words.attached_note, Style::plain(8.4));
        if let Some(link) = &sheet.link {
            flow.space(5.0);
            flow.paragraph((SIDE, WIDTH), link, Style::soft(7.6));
        }
        if flow.fonts.spelt() {
            flow.space(5.0);
            flow.paragraph((SIDE, WIDTH), words.code_points_note, Style::soft(8.0));
        }
    });
    flow
}

fn section(flow: &mut Flow<'_, '_>, heading: &str, inside: impl FnOnce(&mut Flow<'_, '_>)) {
    flow.within(Role::Section, |flow| {
        flow.gap(20.0);
        flow.heading(2, heading, Style::bold(12.6), 70.0);
        flow.space(4.0);
        inside(flow);
    });
}

fn part(flow: &mut Flow<'_, '_>, part: &Part) {
    if part.empty {
        flow.paragraph((SIDE, WIDTH), &part.items[0], Style::soft(8.6));
    } else {
        flow.items((SIDE, WIDTH), &part.items, Style::plain(8.6));
    }
}

/// Head and foot of each page. The first one needs no head: it says all of it larger.
fn frames(sheet: &Sheet, words: &Words, flow: &Flow<'_, '_>) -> Vec<Frame> {
    let soft = Style::soft(7.4);
    let wide = |text: &str, weight| flow.fonts.width(text, weight) * soft.size;
    let count = flow.pages.len();
    let one = |number: usize| {
        let values = [("page", (number + 1).to_string()), ("pages", count.to_string())];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        let page = fill(words.page_of, &values);
        let base = PAGE_HEIGHT - 32.0;
        let right = SIDE + WIDTH - wide(&page, Weight::Regular);
        let text = |x, base, words: String, style| Mark::Text { x, base, words, style };
        let mut marks =
            vec![text(SIDE, base, sheet.id.clone(), soft), text(right, base, page, soft)];
        if number > 0 {
            let bold =
                Style { weight: Weight::Bold, ink: first_page::inks(sheet.verdict.tone).0, ..soft };
            let word = flow.fonts.drawable(&sheet.verdict.word);
            let right = SIDE + WIDTH - wide(&word, Weight::Bold);
            let title = flow.fonts.drawable(&format!("{}  ·  {}", sheet.title, sheet.issuer));
            let place = right - SIDE - 12.0;
            let mut lines = lines::lines(flow.fonts, &title, (soft.weight, soft.size), place);
            marks.push(text(SIDE, 40.0, lines.swap_remove(0), soft));
            marks.push(text(right, 40.0, word, bold));
            let rule = Mark::Bar { x: SIDE, y: 46.0, width: WIDTH, height: 0.5, ink: flow::LINE };
            marks.push(rule);
        }
        Frame { marks }
    };
    (0..count).map(one).collect()
}

fn date(moment: Timestamp) -> DateTime {
    let utc = moment.to_zoned(TimeZone::UTC);
    let small = |number: i8| u8::try_from(number).unwrap_or_default();
    DateTime::new(u16::try_from(utc.year()).unwrap_or_default())
        .month(small(utc.month()))
        .day(small(utc.day()))
        .hour(small(utc.hour()))
        .minute(small(utc.minute()))
        .second(small(utc.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

fn metadata(sheet: &Sheet, printing: &Printing, made: Timestamp) -> Metadata {
    let title = format!("{} – {} – {}", sheet.title, sheet.verdict.word, sheet.id);
    Metadata::new()
        .title(title)
        .description(sheet.verdict.sentences.join(" "))
        .authors(vec![sheet.issuer.clone()])
        .language(printing.language.tag().to_owned())
        .creator("quietus".to_owned())
        .creation_date(date(made))
        .document_id(format!("{} {}", sheet.id, printing.language.code()))
}

fn outline(flow: &Flow<'_, '_>) -> Outline {
    let mut outline = Outline::new();
    for entry in &flow.entries {
        let place = XyzDestination::new(entry.page, Point::from_xy(SIDE, entry.y));
        outline.push_child(OutlineNode::new(entry.words.clone(), place));
    }
    outline
}

fn embedded(one: &Attachment<'_>, words: &Words, made: Timestamp) -> EmbeddedFile {
    let kind = match one.name.rsplit('.').next() {
        Some("json") => "application/json",
        Some("pem") => "application/x-pem-file",
        Some("sh") => "application/x-sh",
        Some("tsr") => "application/timestamp-reply",
        _ => "text/plain",
    };
    EmbeddedFile {
        path: one.name.to_owned(),
        mime_type: MimeType::new(kind),
        description: Some(format!("{}: {}", words.attached, one.name)),
        association_kind: match one.kind {
            AttachmentKind::Source => AssociationKind::Source,
            AttachmentKind::Data => AssociationKind::Data,
            AttachmentKind::Supplement => AssociationKind::Supplement,
        },
        data: one.bytes.to_vec().into(),
        modification_date: Some(date(made)),
        compress: None,
        location: None,
    }
}
