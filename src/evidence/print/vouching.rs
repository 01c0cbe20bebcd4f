//! What others vouch for, as the issuer's program found it when it printed: time stamps and
//! witnesses. Printed as found, with what nobody vouches for said as plainly.

use std::collections::BTreeSet;

use super::sheet::Fact;
use super::voice::Voice;
use super::words::fill;
use crate::evidence::anchor_folder::AnchorFolder;
use crate::evidence::anchors::{TimeBracket, Vouched};
use crate::evidence::bundle::Bundle;

/// What others vouch for, and by which names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vouching {
    /// Bounds by time stamps that hold.
    pub bracket: TimeBracket,
    /// Authorities that stamped a head with the certificate's entry.
    pub authorities: Vec<String>,
    /// Witnesses whose signatures hold.
    pub witnesses: Vec<String>,
    /// They are as many as the issuer's policy asks for.
    pub quorum_met: bool,
    /// A time stamp of any kind is handed out, whether it holds or not.
    pub stamped: bool,
}

impl Vouching {
    /// What holds of what is handed out.
    pub fn of(found: &Vouched, bundle: &Bundle, anchors: &AnchorFolder) -> Self {
        let stamps = anchors.stamps();
        let with_entry = stamps.iter().filter(|(head, ..)| *head != "before");
        let names: BTreeSet<&str> = with_entry.map(|(_, _, authority, _)| *authority).collect();
        let witnesses: BTreeSet<&str> =
            found.witnesses.iter().map(|name| without_number(name)).collect();
        Self {
            bracket: found.bracket,
            authorities: names.into_iter().map(str::to_owned).collect(),
            witnesses: witnesses.into_iter().map(str::to_owned).collect(),
            quorum_met: found.quorum_met,
            stamped: !stamps.is_empty() || !bundle.time_stamps.is_empty(),
        }
    }

    /// A witness's signature holds.
    pub fn witnessed(&self) -> bool {
        !self.witnesses.is_empty()
    }
}

/// A witness has several keys, which the policy numbers: `auditor.1`, `auditor.2`.
fn without_number(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((witness, number)) if number.bytes().all(|one| one.is_ascii_digit()) => witness,
        _ => name,
    }
}

/// By when it was there, as others vouch; the strongest bound.
fn by_when(voice: &Voice<'_>, vouching: &Vouching) -> String {
    let words = voice.words;
    let TimeBracket { logged_by, signed_by, .. } = vouching.bracket;
    match (logged_by, signed_by) {
        (Some(moment), _) => fill(
            words.vouched_logged,
            &[("moment", &voice.moment(moment)), ("names", &voice.names(&vouching.authorities))],
        ),
        (None, Some(moment)) => fill(words.vouched_signed, &[("moment", &voice.moment(moment))]),
        (None, None) if vouching.stamped => words.vouched_time_unchecked.to_owned(),
        (None, None) => words.vouched_time_nobody.to_owned(),
    }
}

fn witnesses(voice: &Voice<'_>, vouching: &Vouching) -> String {
    if !vouching.witnessed() {
        return voice.words.vouched_witnesses_nobody.to_owned();
    }
    let names = voice.names(&vouching.witnesses);
    let signed = fill(voice.words.vouched_witnesses, &[("names", &names)]);
    let few = (!vouching.quorum_met).then(|| voice.words.vouched_witnesses_few.to_owned());
    voice.sentences([signed].into_iter().chain(few))
}

/// The line of the first page.
pub(super) fn short(voice: &Voice<'_>, vouching: &Vouching) -> Fact {
    let both = [by_when(voice, vouching), witnesses(voice, vouching)];
    voice.fact(voice.words.vouched, voice.sentences(both))
}

/// All of it, for the place where the proof lies.
pub(super) fn full(voice: &Voice<'_>, vouching: &Vouching) -> [Fact; 2] {
    let words = voice.words;
    let TimeBracket { not_before, signed_by, logged_by, sound_until } = vouching.bracket;
    let mut time = vec![by_when(voice, vouching)];
    // Where it was stamped before it was logged, both bounds say something.
    if let Some(moment) =
        signed_by.filter(|signed| logged_by.is_some_and(|logged| *signed < logged))
    {
        time.push(fill(words.vouched_signed, &[("moment", &voice.moment(moment))]));
    }
    if let Some(moment) = not_before {
        time.push(fill(words.vouched_before, &[("moment", &voice.moment(moment))]));
    }
    if let Some(moment) = sound_until {
        time.push(fill(words.vouched_sound, &[("day", &voice.day_of(moment))]));
    }
    if signed_by.or(logged_by).or(not_before).is_some() {
        time.push(words.vouched_check.to_owned());
    }
    let mut signed = vec![witnesses(voice, vouching)];
    if vouching.witnessed() {
        signed.push(words.vouched_check.to_owned());
    }
    [
        voice.fact(words.proof_time, voice.sentences(time)),
        voice.fact(words.proof_witnesses, voice.sentences(signed)),
    ]
}
