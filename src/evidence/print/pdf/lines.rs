//! Lines: where a text is broken so that it fits a width. Names and digests that are longer than a
//! line are broken too, at a separator where there is one.

use textwrap::WordSeparator;

use super::fonts::{Fonts, Weight};

/// The lines of a text that was made drawable. Each keeps the space at which it was broken.
pub(super) fn lines(
    fonts: &Fonts<'_>,
    text: &str,
    (weight, size): (Weight, f32),
    width: f32,
) -> Vec<String> {
    let room = width / size;
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0.0;
    for word in WordSeparator::UnicodeBreakProperties.find_words(text.trim()) {
        let mut rest = word.word;
        let mut length = fonts.width(rest, weight);
        if used + length > room && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
            used = 0.0;
        }
        while length > room {
            let place = fitting(fonts, rest, weight, room);
            lines.push(rest[..place].to_owned());
            rest = &rest[place..];
            length = fonts.width(rest, weight);
        }
        line.push_str(rest);
        line.push_str(word.whitespace);
        used += length + fonts.width(word.whitespace, weight);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Where a word that is too long is broken: behind the last separator that fits in the second half
/// of the line, or else wherever the line is full. At least one character fits.
fn fitting(fonts: &Fonts<'_>, word: &str, weight: Weight, room: f32) -> usize {
    let mut used = 0.0;
    let (mut end, mut separator) = (0, None);
    for (place, one) in word.char_indices() {
        used += fonts.width(one.encode_utf8(&mut [0; 4]), weight);
        if used > room && end > 0 {
            break;
        }
        end = place + one.len_utf8();
        if used > room / 2.0 && matches!(one, '/' | '.' | '_' | '-' | ':' | '@' | '#') {
            separator = Some(end);
        }
    }
    separator.unwrap_or(end)
}

/// Width of the widest word, in parts of the font size.
pub(super) fn widest_word(fonts: &Fonts<'_>, text: &str, weight: Weight) -> f32 {
    WordSeparator::UnicodeBreakProperties
        .find_words(text.trim())
        .map(|word| fonts.width(word.word, weight))
        .fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::Language;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn nothing_is_lost_and_nothing_is_wider_than_the_line(
            text in "[a-zA-Z0-9 /._-]{0,120}|[删除证明，。a-z ]{0,60}",
            width in 20.0_f32..200.0,
        ) {
            let fonts = Fonts::open(Language::Chinese, &[]).expect("fonts");
            let broken = lines(&fonts, &text, (Weight::Regular, 10.0), width);
            prop_assert_eq!(broken.concat(), text.trim().to_owned());
            for line in broken {
                let wide = fonts.width(line.trim_end(), Weight::Regular) * 10.0;
                // Letters that stand closer beside some others than alone leave a little play.
                prop_assert!(wide <= width + 1.0 || line.chars().count() == 1, "{line}: {wide}");
            }
        }
    }

    #[test]
    fn a_path_is_broken_behind_a_separator() {
        let fonts = Fonts::open(Language::English, &[]).expect("fonts");
        let broken =
            lines(&fonts, "erasure.example.com/evidence/2026", (Weight::Regular, 10.0), 110.0);
        assert!(broken[0].ends_with(['.', '/']), "{broken:?}");
    }
}
