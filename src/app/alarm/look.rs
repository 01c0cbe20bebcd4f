//! The look: what is found and was not there before is raised, what is gone is cleared, and what lasts
//! is told again when it is time or when it has become worse.
//!
//! What nobody could look at is neither: its alarms stay as they are. An alarm of a kind that this version
//! does not know is left to the version that has raised it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::event::Event;
use super::{GIVEN_UP_AFTER, to_address, to_webhook};
use crate::app::doctor::{Area, Finding, KnownArea, Mark};
use crate::app::{AppError, Quietus};
use crate::config::{AlarmSettings, Least};
use crate::domain::{AlarmKind, AlarmStep};
use crate::store::{Alarm, AlarmMark, NewTelling, TellingTo};

/// Open alarms that are read.
const MOST_OPEN: u32 = 10_000;
/// Open alarms of an area beyond which none is raised there.
const MOST_OPEN_OF_AREA: usize = 400;
/// Characters of what is said that are kept.
const MOST_CHARACTERS: usize = 2_000;
/// How long what was cleared and told stays on record.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a look has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AlarmTally {
    /// Raised.
    pub raised: u32,
    /// Told again.
    pub again: u32,
    /// Cleared.
    pub cleared: u32,
}

/// What one alarm is about, as it was found now.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Matter {
    place: String,
    kind: AlarmKind,
    mark: AlarmMark,
    what: String,
    advice: Option<String>,
    commands: Vec<String>,
    since: Option<Timestamp>,
}

impl Matter {
    fn of(finding: &Finding, mark: AlarmMark) -> Self {
        Self {
            place: bounded(&finding.place),
            kind: finding.kind.unwrap_or(AlarmKind::Other),
            mark,
            what: bounded(&finding.what),
            advice: finding.advice.clone(),
            commands: finding.commands.clone(),
            since: finding.since,
        }
    }

    /// Two findings of one kind at one place are one matter: the first says how bad it is and since when.
    fn add(&mut self, other: Self) {
        if !self.what.contains(&other.what) {
            self.what = bounded(&format!("{}; {}", self.what, other.what));
        }
        self.commands.extend(other.commands);
        let mut seen = BTreeSet::new();
        self.commands.retain(|command| seen.insert(command.clone()));
        self.advice = self.advice.take().or(other.advice);
    }

    /// An alarm as it stands now.
    fn put_on(self, alarm: Alarm) -> Alarm {
        Alarm {
            mark: self.mark,
            what: self.what,
            advice: self.advice,
            commands: self.commands,
            since: self.since,
            ..alarm
        }
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(MOST_CHARACTERS).collect()
}

/// What there is to be told of an area, by place and kind.
fn matters(area: &Area, least: Least) -> BTreeMap<(String, AlarmKind), Matter> {
    let mut found: BTreeMap<(String, AlarmKind), Matter> = BTreeMap::new();
    let mut add = |matter: Matter| {
        let key = (matter.place.clone(), matter.kind);
        match found.get_mut(&key) {
            Some(first) => first.add(matter),
            None => {
                found.insert(key, matter);
            }
        }
    };
    // The worst and oldest come first.
    for finding in &area.findings {
        match (finding.mark, least) {
            (Mark::Wrong, _) => add(Matter::of(finding, AlarmMark::Wrong)),
            (Mark::Look, Least::Look) => add(Matter::of(finding, AlarmMark::Look)),
            (Mark::Look, Least::Wrong) | (Mark::Well, _) => {}
        }
    }
    if area.more > 0 {
        let what = format!("{} more findings than are told one by one", area.more);
        let crowded = Finding::wrong(area.name, what)
            .kind(AlarmKind::AreaCrowded)
            .command("quietus doctor --offline --limit 1000");
        add(Matter::of(&crowded, AlarmMark::Wrong));
    }
    found
}

/// A look under way.
struct Look<'a> {
    settings: &'a AlarmSettings,
    /// Those that want nothing any more.
    gone: BTreeSet<TellingTo>,
    now: Timestamp,
    tally: AlarmTally,
}

impl Quietus {
    /// Looks where it is time to, one of all replicas; `None` where it is not, or nobody looks here.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn look_for_alarms_in_turn(&self) -> Result<Option<AlarmTally>, AppError> {
        let Some(settings) = &self.instance.alarms else { return Ok(None) };
        let now = self.now();
        let before = now.checked_sub(settings.every).unwrap_or(Timestamp::MIN);
        let beyond = now.checked_add(settings.every).unwrap_or(Timestamp::MAX);
        // It is asked again and again: nothing is written before it is time.
        let last = self.store.alarms_looked_at().await?;
        if last.is_some_and(|last| before < last && last <= beyond)
            || !self.store.claim_alarm_look(now, (before, beyond)).await?
        {
            return Ok(None);
        }
        Box::pin(self.raise_and_clear(settings)).await.map(Some)
    }

    /// Looks now, whenever somebody looked last.
    ///
    /// # Errors
    /// Where the store is not there, or nobody looks for alarms here.
    pub async fn look_for_alarms(&self) -> Result<AlarmTally, AppError> {
        let settings = self.settings_of_alarms()?;
        let now = self.now();
        self.store.claim_alarm_look(now, (now, now)).await?;
        Box::pin(self.raise_and_clear(settings)).await
    }

    async fn raise_and_clear(&self, settings: &AlarmSettings) -> Result<AlarmTally, AppError> {
        // Read before it is looked: what somebody else clears meanwhile is not raised again by this look.
        let mut open: BTreeMap<String, Vec<Alarm>> = BTreeMap::new();
        for alarm in self.store.open_alarms(MOST_OPEN).await? {
            open.entry(alarm.area.clone()).or_default().push(alarm);
        }
        let areas = Box::pin(self.examine_known()).await;
        let standings = self.store.telling_standings().await?;
        let gone = standings.into_iter().filter(|one| one.gone_at.is_some());
        let gone = gone.map(|one| one.to).collect();
        let (now, tally) = (self.now(), AlarmTally::default());
        let mut look = Look { settings, gone, now, tally };
        for known in &areas {
            let open = open.remove(known.area.name).unwrap_or_default();
            self.look_at_area(&mut look, known, open).await?;
        }
        self.store.forget_alarms(look.now.checked_sub(KEPT_FOR).unwrap_or(Timestamp::MIN)).await?;
        Ok(look.tally)
    }

    async fn look_at_area(
        &self,
        look: &mut Look<'_>,
        known: &KnownArea,
        open: Vec<Alarm>,
    ) -> Result<(), AppError> {
        let mut matters = matters(&known.area, look.settings.least);
        let mut room = MOST_OPEN_OF_AREA.saturating_sub(open.len());
        for alarm in open {
            let Some(kind) = AlarmKind::parse(&alarm.kind) else { continue };
            match matters.remove(&(alarm.place.clone(), kind)) {
                Some(matter) => self.keep_alarm(look, &alarm, matter).await?,
                None if known.is_whole => self.clear_alarm(look, &alarm).await?,
                None => {}
            }
        }
        for matter in matters.into_values() {
            if room == 0 {
                break;
            }
            room -= 1;
            self.raise_alarm(look, known.area.name, matter).await?;
        }
        Ok(())
    }

    async fn raise_alarm(
        &self,
        look: &mut Look<'_>,
        area: &str,
        matter: Matter,
    ) -> Result<(), AppError> {
        let alarm = Alarm {
            id: self.ids.new_id(),
            area: area.to_owned(),
            place: matter.place.clone(),
            kind: matter.kind.as_str().to_owned(),
            mark: matter.mark,
            what: String::new(),
            advice: None,
            commands: Vec::new(),
            since: None,
            raised_at: look.now,
            told_at: look.now,
            steps: 1,
            cleared_at: None,
        };
        let alarm = matter.put_on(alarm);
        let tellings = self.tellings_of(look, &alarm, (AlarmStep::Raised, 1))?;
        if self.store.raise_alarm(&alarm, tellings).await? {
            look.tally.raised += 1;
            tracing::warn!(
                alarm = %alarm.id, area = %alarm.area, place = %alarm.place, kind = %alarm.kind,
                mark = %alarm.mark, "an alarm is raised: see `quietus alarm list`"
            );
        }
        Ok(())
    }

    /// It is there still: whoever is told is told again once it is time, and at once where it is worse.
    async fn keep_alarm(
        &self,
        look: &mut Look<'_>,
        before: &Alarm,
        matter: Matter,
    ) -> Result<(), AppError> {
        let alarm = matter.put_on(before.clone());
        let is_worse = before.mark == AlarmMark::Look && alarm.mark == AlarmMark::Wrong;
        let is_time = look
            .settings
            .again
            .is_some_and(|again| look.now.duration_since(before.told_at) >= again);
        if is_worse || is_time {
            let step = (AlarmStep::Again, before.steps.saturating_add(1));
            let tellings = self.tellings_of(look, &alarm, step)?;
            if self.store.alarm_again(&alarm, look.now, tellings).await? {
                look.tally.again += 1;
            }
        } else if alarm != *before {
            self.store.change_alarm(&alarm).await?;
        }
        Ok(())
    }

    async fn clear_alarm(&self, look: &mut Look<'_>, alarm: &Alarm) -> Result<(), AppError> {
        let step = (AlarmStep::Cleared, alarm.steps.saturating_add(1));
        let tellings = self.tellings_of(look, alarm, step)?;
        if self.store.clear_alarm(alarm, look.now, tellings).await? {
            look.tally.cleared += 1;
            tracing::info!(
                alarm = %alarm.id, area = %alarm.area, place = %alarm.place, kind = %alarm.kind,
                "an alarm is cleared"
            );
        }
        Ok(())
    }

    /// What is to be told of a step, and to whom.
    fn tellings_of(
        &self,
        look: &Look<'_>,
        alarm: &Alarm,
        (step, number): (AlarmStep, u32),
    ) -> Result<Vec<NewTelling>, AppError> {
        let controller = &self.instance.controller.name;
        let body = Event::of(alarm, controller, (step, number, look.now)).body()?;
        let give_up_at = look.now.checked_add(GIVEN_UP_AFTER).unwrap_or(Timestamp::MAX);
        let kind = AlarmKind::parse(&alarm.kind).unwrap_or(AlarmKind::Other);
        let webhooks = look.settings.webhooks.iter().filter(|one| one.wants(step, kind));
        let webhooks = webhooks.map(|one| to_webhook(&one.name));
        let to = webhooks.chain((1..=look.settings.mail.len()).map(to_address));
        let telling = |to: TellingTo| NewTelling {
            is_gone: look.gone.contains(&to),
            to,
            event: step,
            body: body.clone(),
            give_up_at,
        };
        Ok(to.map(telling).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(findings: Vec<Finding>, more: u64) -> Area {
        let mut area = Area::of("jobs", findings, || Finding::well("jobs", "none has failed"), 9);
        area.more = more;
        area
    }

    fn failed(place: &str, what: &str) -> Finding {
        Finding::wrong(place, what).kind(AlarmKind::JobFailed).command("quietus retry --system crm")
    }

    #[test]
    fn what_is_of_one_kind_at_one_place_is_one_matter() {
        let found = area(
            vec![
                failed("system crm", "3 jobs have failed (transient)"),
                failed("system crm", "1 job has failed (rejected)"),
                failed("system shop", "1 job has failed"),
                Finding::look("system crm", "2 jobs wait").kind(AlarmKind::JobWaiting),
            ],
            0,
        );
        let all = matters(&found, Least::Look);
        assert_eq!(all.len(), 3);
        let crm = &all[&("system crm".to_owned(), AlarmKind::JobFailed)];
        assert!(crm.what.contains("(transient)") && crm.what.contains("(rejected)"), "{crm:?}");
        assert_eq!(crm.commands, ["quietus retry --system crm"]);
        let wrong = matters(&found, Least::Wrong);
        assert_eq!(wrong.len(), 2, "what somebody should look at is left out: {wrong:?}");
        assert_eq!(matters(&area(Vec::new(), 0), Least::Look).len(), 0, "all is well");
    }

    #[test]
    fn what_is_not_told_one_by_one_is_told_as_a_number() {
        let all = matters(&area(vec![failed("system crm", "a")], 7), Least::Wrong);
        let crowded = &all[&("jobs".to_owned(), AlarmKind::AreaCrowded)];
        assert!(crowded.what.starts_with("7 more"), "{crowded:?}");
        let long = Finding::wrong("x", "ä".repeat(9_000)).kind(AlarmKind::JobFailed);
        let all = matters(&area(vec![long], 0), Least::Wrong);
        let (_, only) = all.first_key_value().unwrap();
        assert_eq!(only.what.chars().count(), MOST_CHARACTERS);
    }
}
