//! Fonts of the machine that draw what those inside the program do not: names in Chinese characters
//! beyond the common ones, in Japanese or Korean.

use crate::evidence::print::ExtraFont;

/// Where systems keep such fonts: file, and number in a collection.
const PLACES: &[(&str, u32)] = &[
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", 0),
    ("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf", 0),
    ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 0),
    ("/System/Library/Fonts/Supplemental/Arial Unicode.ttf", 0),
];

/// Largest font that is read, in bytes.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// The fonts that are there; none is not an error, because what cannot be drawn is spelt.
pub fn machine_fonts() -> Vec<ExtraFont> {
    let small = |place: &str| std::fs::metadata(place).is_ok_and(|file| file.len() <= MOST_BYTES);
    PLACES
        .iter()
        .filter(|(place, _)| small(place))
        .filter_map(|(place, index)| {
            std::fs::read(place).ok().map(|bytes| ExtraFont { bytes, index: *index })
        })
        .collect()
}
