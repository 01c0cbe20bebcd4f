//! The link on printed forms: where the issuer tells of a certificate, and which one is meant.
//!
//! `https://HOST/c/ID#DIGEST`, with the base64url SHA-256 of the signed payload. What follows `#`
//! never reaches the host. A code with the link proves nothing by itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use qrcode::{Color, EcLevel, QrCode};

use crate::domain::Digest;
use crate::evidence::bundle::Bundle;
use crate::evidence::certificate::Predicate;

/// The link of a certificate.
pub(super) fn link(host: &str, predicate: &Predicate, bundle: &Bundle) -> String {
    let digest = URL_SAFE_NO_PAD.encode(Digest::of(&bundle.envelope.payload).0);
    format!("https://{host}/c/{}#{digest}", predicate.certificate_id)
}

/// A code as squares of one module each, without the quiet zone of four modules around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Squares {
    /// Modules along one side.
    pub side: usize,
    /// Runs of dark modules in one row: column, row, length.
    pub runs: Vec<(usize, usize, usize)>,
}

/// Modules that must stay empty around a code.
pub const QUIET: usize = 4;

/// Draws a link; `None` where it is too long for a code.
pub fn squares(link: &str) -> Option<Squares> {
    let code = QrCode::with_error_correction_level(link, EcLevel::M).ok()?;
    let side = code.width();
    let colors = code.to_colors();
    let mut runs = Vec::new();
    for (row, modules) in colors.chunks(side).enumerate() {
        let mut start = None;
        for column in 0..=side {
            let dark = modules.get(column) == Some(&Color::Dark);
            match (start, dark) {
                (None, true) => start = Some(column),
                (Some(begin), false) => {
                    runs.push((begin, row, column - begin));
                    start = None;
                }
                _ => {}
            }
        }
    }
    Some(Squares { side, runs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runs_are_the_dark_modules_of_the_code() {
        let link = "https://erasure.example.com/c/1#2";
        let drawn = squares(link).expect("short");
        let code = QrCode::with_error_correction_level(link, EcLevel::M).expect("short");
        let dark = code.to_colors().iter().filter(|one| **one == Color::Dark).count();
        assert_eq!(drawn.runs.iter().map(|(_, _, length)| length).sum::<usize>(), dark);
        // A code begins with the dark edge of a finder pattern.
        assert_eq!(drawn.runs[0], (0, 0, 7));
        assert!(squares(&"x".repeat(5000)).is_none());
    }
}
