//! Grounds that persons name, as far as they decide what is done.

/// Whether a ground is the objection to direct marketing (GDPR article 21(2) and (3)), which is not
/// weighed against anything.
///
/// It is known by the paragraph: `Art. 21(2)`, `article 21 (3)`.
pub fn concerns_direct_marketing(ground: &str) -> bool {
    let plain: String = ground.chars().filter(|one| !one.is_whitespace()).collect();
    ["21(2)", "21(3)"].iter().any(|paragraph| {
        plain
            .match_indices(paragraph)
            .any(|(place, _)| !plain[..place].ends_with(|before: char| before.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direct_marketing_is_known_by_its_paragraph() {
        for ground in ["Art. 21(2)", "GDPR article 21 (3)", "Art. 21(1), Art. 21(2) GDPR"] {
            assert!(concerns_direct_marketing(ground), "{ground}");
        }
        for ground in ["Art. 21(1)", "Art. 121(2)", "marketing", "Art. 22(2)", ""] {
            assert!(!concerns_direct_marketing(ground), "{ground}");
        }
    }
}
