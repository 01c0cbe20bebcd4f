//! The first page: title, code, verdict, facts, and in short what is kept, promised and not done.

use super::super::language::Language;
use super::super::sheet::{Sheet, Tone};
use super::super::words::Words;
use super::flow::{Flow, INK, Ink, Mark, Role, SIDE, SOFT, Style, WIDTH};
use super::fonts::Weight;
use super::table::facts;

const CODE: f32 = 92.0;

/// Ink and shade of a verdict.
pub(super) fn inks(tone: Tone) -> (Ink, Ink) {
    match tone {
        Tone::Good => ((0x17, 0x66, 0x3a), (0xe6, 0xf3, 0xeb)),
        Tone::Mixed => ((0x7d, 0x4e, 0x00), (0xfc, 0xf1, 0xdc)),
        Tone::Bad => ((0xa1, 0x23, 0x1b), (0xfb, 0xe9, 0xe7)),
        Tone::Past => ((0x4b, 0x4f, 0x8a), (0xec, 0xec, 0xf6)),
    }
}

/// Lays the first page out; all of it shrinks by `scale`.
pub(super) fn first_page(
    flow: &mut Flow<'_, '_>,
    sheet: &Sheet,
    words: &Words,
    language: Language,
    scale: f32,
) {
    flow.within(Role::Section, |flow| {
        title(flow, sheet, words, scale);
        verdict(flow, sheet, scale);
        flow.space(9.0 * scale);
        facts(flow, &sheet.facts, 112.0, Style::plain(9.0 * scale));
        for part in &sheet.points {
            flow.space(11.0 * scale);
            flow.heading(2, &part.heading, Style::bold(10.2 * scale), 14.0);
            flow.space(1.5 * scale);
            if let [only] = part.items.as_slice() {
                let ink = if part.empty { SOFT } else { INK };
                let style = Style { ink, ..Style::plain(9.0 * scale) };
                flow.paragraph((SIDE, WIDTH), only, style);
            } else {
                flow.items((SIDE, WIDTH), &part.items, Style::plain(9.0 * scale));
            }
        }
        flow.space(12.0 * scale);
        let mut weight = words.no_weight.to_owned();
        if language != Language::English {
            weight.push(' ');
            weight.push_str(words.not_translated);
        }
        flow.paragraph((SIDE, WIDTH), &weight, Style::soft(7.8 * scale));
    });
}

fn title(flow: &mut Flow<'_, '_>, sheet: &Sheet, words: &Words, scale: f32) {
    let top = flow.y;
    let beside = if sheet.link.is_some() { WIDTH - CODE - 24.0 } else { WIDTH };
    flow.paragraph((SIDE, beside), &sheet.issuer, Style::soft(10.0 * scale));
    flow.space(3.0);
    let style = Style::bold(23.0 * scale);
    let branch = flow.branch(Role::Heading(1, sheet.title.clone()));
    for line in flow.broken(&sheet.title, style, beside) {
        flow.line((SIDE, flow.y), &line, style, Some(branch));
        flow.y += style.size * 1.25;
    }
    if let Some(link) = &sheet.link {
        let x = SIDE + WIDTH - CODE;
        let branch = flow.branch(Role::Figure(link.clone()));
        flow.place(Mark::Code { x, y: top, side: CODE, link: link.clone() }, Some(branch));
        // The note stands beside the code, below the title.
        let note = Style::soft(7.2);
        let lines = flow.broken(words.link_note, note, beside);
        let low = top + CODE - note.leading() * if lines.len() > 1 { 2.0 } else { 1.0 };
        // A title of two lines reaches down to it.
        flow.y = (flow.y + 5.0 * scale).max(low);
        flow.paragraph((SIDE, beside), words.link_note, note);
        flow.y = flow.y.max(top + CODE);
    }
    flow.space(12.0 * scale);
}

fn verdict(flow: &mut Flow<'_, '_>, sheet: &Sheet, scale: f32) {
    let verdict = &sheet.verdict;
    let (ink, shade) = inks(verdict.tone);
    let (edge, sign) = (13.0 * scale, 30.0 * scale);
    let x = SIDE + 2.0 * edge + sign;
    let width = SIDE + WIDTH - edge - x;
    let word = Style { size: 18.0 * scale, weight: Weight::Bold, ink };
    let sentence = Style { size: 9.6 * scale, weight: Weight::Regular, ink: INK };
    let words = flow.broken(&verdict.word, word, width);
    let sentences: Vec<String> =
        verdict.sentences.iter().flat_map(|one| flow.broken(one, sentence, width)).collect();
    let height = 2.0 * edge
        + words.iter().map(|_| word.size * 1.3).sum::<f32>()
        + sentences.iter().map(|_| sentence.leading()).sum::<f32>();
    let top = flow.y;
    flow.bar((SIDE, top), (WIDTH, height), shade);
    flow.bar((SIDE, top), (3.2, height), ink);
    let middle = top + (height - sign) / 2.0;
    flow.place(
        Mark::Sign { x: SIDE + edge + 2.0, y: middle, side: sign, tone: verdict.tone, ink },
        None,
    );
    flow.y = top + edge;
    let branch = flow.branch(Role::Paragraph);
    for line in words {
        flow.line((x, flow.y), &line, word, Some(branch));
        flow.y += word.size * 1.3;
    }
    let branch = flow.branch(Role::Paragraph);
    for line in sentences {
        flow.line((x, flow.y), &line, sentence, Some(branch));
        flow.y += sentence.leading();
    }
    flow.y = top + height;
}
