//! Every word of the printed forms, as data: one table a language, all with the same entries.
//!
//! A table that lacks an entry does not compile. Places for values are written `{name}`; a law by
//! test says that each language has the same places in the same entry. What systems and people
//! wrote into a certificate stands in it as it is; [`phrase`] translates only sentences that this
//! program writes itself.

mod de;
mod en;
mod phrases;
mod residues;
mod zh;

use super::language::Language;
use crate::evidence::certificate::{CertificateClass, IssuerRole, Predicate};
use crate::evidence::statement::{
    CertifiedAction, KeptReason, RemovalGrade, StatementOutcome, SystemKind, VerificationFinding,
    VerificationType,
};

pub use phrases::phrase;

macro_rules! words {
    ($($name:ident,)*) => {
        /// The texts of one language.
        pub struct Words { $(pub $name: &'static str,)* }

        #[cfg(test)]
        impl Words {
            /// Name and text of each entry.
            pub fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

words! {
    // Titles and verdicts.
    title_erasure, title_restriction, title_not_held, title_correction, title_restore,
    complete, exceptions, partial, failed, not_held, superseded,
    withdrawn, disputed, withdrawn_sentence, disputed_sentence,
    complete_sentence, exceptions_sentence, copies_sentence, files_sentence, partial_sentence, failed_sentence, not_held_sentence,
    superseded_sentence, superseded_by, said_then, replaces, replaces_final, replaces_tried_again,
    replaces_reappeared, replaces_error, replaces_backup_expired, replaces_residues_gone,
    replaces_looked_again, replaces_kept_looked_at, replaces_other,
    no_weight, not_translated, code_points_note,
    // Facts of the first page.
    issuer, controller, processor, about, about_schedule, about_request, about_request_plain,
    issued_at, as_of, as_of_note, systems, systems_value, systems_one, systems_missing, certificate,
    to_whom, to_whom_opening, to_whom_counts, next_final, next_review,
    right_erasure, right_restriction, right_objection, right_access, right_other,
    // Points of the first page.
    point_wrong, wrong_words, wrong_again, wrong_on_record,
    point_done, point_done_all, point_done_some, point_done_none, point_not_found,
    point_copies, point_files, files_by, files_seen, files_undated, copies_live, copies_by, copies_seen, copies_undated,
    point_kept, point_kept_none, point_promised, point_promised_none, point_undone,
    point_undone_none, point_more, point_limits, point_limits_sentence,
    until, until_first, until_last, until_open, reviewed_on, restricted_meanwhile, records_one, records_many,
    grade_verified, grade_signed, grade_reported, grade_told, grade_pending, promised_by,
    promised_silent,
    // Tables.
    overview, overview_note, column_statement, column_place, column_outcome, column_verified,
    matched, deleted, cleared, anonymised, restricted, kept, left, yes, no,
    kept_table, column_records, column_reason, column_because, column_until, column_review,
    column_restricted, others_table, column_name, column_told, column_strength, column_words,
    column_receipt, undone_table, column_why, column_attempts, column_owner, column_next,
    files_table, column_stage, column_looked, copies_table, column_store, column_newest, column_gone_by, column_listed, column_mechanism,
    uncovered_table, everywhere, limits_heading, verified_heading, verified_nothing, verified_item,
    attested_heading, attested_counts, attested_item, attested_sample, attested_word,
    attested_nobody, attested_unconfirmed, relied_heading, relied_nothing, relied_done,
    relied_run, none_stated,
    // Statements in full.
    details, fact_system, fact_system_value, operator_self, region_unknown, fact_rule, fact_rule_value,
    rule_of_categories, rule_none, fact_cut_off, fact_cut_off_value, fact_action, fact_outcome,
    fact_method, fact_method_value, fact_verified, fact_verified_value, fact_verified_not,
    fact_time, fact_time_value, fact_kept, fact_kept_value, fact_staying, fact_undone,
    fact_undone_value, attempts_part, owner_part, next_part, fact_exception, fact_exception_value,
    fact_evidence, fact_evidence_value, fact_recipient, no_reason,
    // Background and proof.
    background, fact_kind, fact_tool, fact_case, fact_planned, fact_schedule, fact_occurrence,
    fact_approved, fact_supersedes, fact_data_map, fact_rule_set, fact_limits_from, fact_plan, fact_regime,
    fact_identity, fact_answer_by, class_disposal, class_request, class_restriction,
    class_not_held, class_correction, class_restore, proof, proof_log, proof_entry, proof_entry_value, proof_root,
    proof_statement, proof_file, proof_time, proof_witnesses, proof_status, proof_status_unknown, proof_status_superseded, proof_status_decided,
    link, link_note, page_of,
    // What others vouch for.
    vouched, vouched_logged, vouched_signed, vouched_before, vouched_sound, vouched_time_nobody,
    vouched_time_unchecked, vouched_witnesses, vouched_witnesses_few,
    vouched_witnesses_nobody, vouched_check,
    // Kinds, actions, outcomes, looks.
    kind_database, kind_files, kind_queue, kind_backup, kind_processor,
    action_erase, action_anonymise, action_restrict, action_shred, action_none,
    outcome_completed, outcome_not_found, outcome_partial, outcome_retained, outcome_pending,
    outcome_skipped, outcome_failed, outcome_attested,
    grade_clear, grade_purge, grade_destroy, grade_not_applicable,
    look_query, look_sampling, look_attestation, look_none,
    found_absent, found_survivors, found_unknown,
    reason_hold, reason_minimum, reason_referenced, reason_still,
    // The page: files, and the check that it makes of itself.
    files, files_note, attached, attached_note, check_heading, check_unrun, check_running, check_pass, check_fail,
    check_unable, check_notes, check_step, check_finding, check_meaning, check_drop,
    check_drop_hint, step_signature, step_leaf, step_inclusion, step_root, step_checkpoint,
    step_subject, step_keys, step_time, step_status, step_witnesses, step_link,
    finding_pass, finding_fail,
    finding_unchecked, mean_signature_pass, mean_signature_fail, mean_leaf_pass, mean_leaf_fail,
    mean_inclusion_pass, mean_inclusion_fail, mean_root_pass, mean_root_fail,
    mean_checkpoint_pass, mean_checkpoint_fail, mean_checkpoint_unknown, mean_subject_pass,
    mean_subject_fail, mean_subject_unknown, mean_link_pass, mean_link_fail, mean_keys,
    mean_time_there, mean_time, mean_status, mean_witnesses_there, mean_witnesses, mean_unreadable,
}

impl Words {
    /// The table of a language.
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &en::WORDS,
            Language::German => &de::WORDS,
            Language::Chinese => &zh::WORDS,
        }
    }

    /// What the issuer is.
    pub fn role(&self, role: IssuerRole) -> &'static str {
        match role {
            IssuerRole::Controller => self.controller,
            IssuerRole::Processor => self.processor,
        }
    }

    /// The heading of the certificate.
    pub fn title(&self, predicate: &Predicate) -> String {
        let title = self.title_of(predicate.about());
        if predicate.correction.is_some() {
            fill(self.title_correction, &[("title", title)])
        } else {
            title.to_owned()
        }
    }

    fn title_of(&self, class: CertificateClass) -> &'static str {
        match class {
            // Of what it corrects, a correction always says.
            CertificateClass::ScheduledDisposal
            | CertificateClass::RightsRequest
            | CertificateClass::Correction => self.title_erasure,
            CertificateClass::Restriction => self.title_restriction,
            CertificateClass::NotHeld => self.title_not_held,
            CertificateClass::Restore => self.title_restore,
        }
    }

    /// What the certificate is about.
    pub fn class(&self, class: CertificateClass) -> &'static str {
        match class {
            CertificateClass::ScheduledDisposal => self.class_disposal,
            CertificateClass::RightsRequest => self.class_request,
            CertificateClass::Restriction => self.class_restriction,
            CertificateClass::NotHeld => self.class_not_held,
            CertificateClass::Correction => self.class_correction,
            CertificateClass::Restore => self.class_restore,
        }
    }

    /// What the system is.
    pub fn kind(&self, kind: SystemKind) -> &'static str {
        match kind {
            SystemKind::Database => self.kind_database,
            SystemKind::Files => self.kind_files,
            SystemKind::Queue => self.kind_queue,
            SystemKind::Backup => self.kind_backup,
            SystemKind::Processor => self.kind_processor,
        }
    }

    /// What was to be done.
    pub fn action(&self, action: CertifiedAction) -> &'static str {
        match action {
            CertifiedAction::Erase => self.action_erase,
            CertifiedAction::Anonymise => self.action_anonymise,
            CertifiedAction::Restrict => self.action_restrict,
            CertifiedAction::CryptoShred => self.action_shred,
            CertifiedAction::None => self.action_none,
        }
    }

    /// How it ended.
    pub fn outcome(&self, outcome: StatementOutcome) -> &'static str {
        match outcome {
            StatementOutcome::Completed => self.outcome_completed,
            StatementOutcome::NotFound => self.outcome_not_found,
            StatementOutcome::Partial => self.outcome_partial,
            StatementOutcome::Retained => self.outcome_retained,
            StatementOutcome::Pending => self.outcome_pending,
            StatementOutcome::Skipped => self.outcome_skipped,
            StatementOutcome::Failed => self.outcome_failed,
            StatementOutcome::AttestedByProcessor => self.outcome_attested,
        }
    }

    /// How thoroughly it is gone.
    pub fn grade(&self, grade: RemovalGrade) -> &'static str {
        match grade {
            RemovalGrade::Clear => self.grade_clear,
            RemovalGrade::Purge => self.grade_purge,
            RemovalGrade::Destroy => self.grade_destroy,
            RemovalGrade::NotApplicable => self.grade_not_applicable,
        }
    }

    /// How somebody looked again.
    pub fn look(&self, look: VerificationType) -> &'static str {
        match look {
            VerificationType::PostQuery => self.look_query,
            VerificationType::Sampling => self.look_sampling,
            VerificationType::Attestation => self.look_attestation,
            VerificationType::None => self.look_none,
        }
    }

    /// What the second look found.
    pub fn found(&self, found: VerificationFinding) -> &'static str {
        match found {
            VerificationFinding::Absent => self.found_absent,
            VerificationFinding::Survivors => self.found_survivors,
            VerificationFinding::Unknown => self.found_unknown,
        }
    }

    /// Why something stays.
    pub fn reason(&self, reason: KeptReason) -> &'static str {
        match reason {
            KeptReason::LegalHold => self.reason_hold,
            KeptReason::StatutoryMinimum => self.reason_minimum,
            KeptReason::Referenced => self.reason_referenced,
            KeptReason::StillRestricted => self.reason_still,
        }
    }

    /// How strong the word of a third party is; a word that is not known stands as it is.
    pub fn strength<'a>(&self, grade: Option<&'a str>) -> &'a str {
        match grade {
            None => self.grade_pending,
            Some("verified") => self.grade_verified,
            Some("signed") => self.grade_signed,
            Some("reported") => self.grade_reported,
            Some("told") => self.grade_told,
            Some(other) => other,
        }
    }
}

/// Puts values into the places of a text.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            filled.push_str(value);
        } else {
            filled.push('{');
            filled.push_str(name);
            filled.push('}');
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<&str> {
        let mut found: Vec<&str> = text
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
            .collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn every_language_has_every_text_with_the_same_places() {
        let english = Words::of(Language::English).all();
        for language in [Language::German, Language::Chinese] {
            for ((name, text), (_, theirs)) in english.iter().zip(Words::of(language).all()) {
                assert!(!text.trim().is_empty() && !theirs.trim().is_empty(), "{name}");
                assert_eq!(places(text), places(theirs), "{name} in {language:?}: {theirs}");
            }
        }
    }

    #[test]
    fn values_are_put_in_their_places_and_never_read_as_places() {
        assert_eq!(fill("a {b} c {d}", &[("b", "{d}"), ("d", "1")]), "a {d} c 1");
        assert_eq!(fill("{unknown} {open", &[]), "{unknown} {open");
    }

    #[test]
    fn chinese_texts_hold_no_english_word_but_names_and_terms() {
        const TERMS: &[&str] = &[
            "NIST",
            "SP",
            "SHA",
            "WebCrypto",
            "VERIFY",
            "txt",
            "certificate",
            "Ed",
            "U",
            "E",
            "sigstore",
            "json",
            "quietus",
            "verify",
            "PDF",
            "sha",
            "subject",
            "opening",
            "issuer",
            "pub",
            "pem",
            "trusted",
            "root",
            "tlog",
            "proof",
        ];
        for (name, text) in Words::of(Language::Chinese).all() {
            let mut plain = text.to_owned();
            for place in places(text) {
                plain = plain.replace(&format!("{{{place}}}"), " ");
            }
            for word in plain.split(|one: char| !one.is_ascii_alphabetic()) {
                assert!(word.is_empty() || TERMS.contains(&word), "{name}: `{word}` in {text}");
            }
        }
    }
}
