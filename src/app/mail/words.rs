//! The words of mails about tasks: what to do, by when, and the link. They name the person only
//! where the instance says so.

use std::fmt::Write as _;

use quietus_connectors::Identity;

use super::link::Purpose;
use crate::domain::AskedRight;
use crate::store::{MailAbout, Task};

/// What a mail of a task is written from. It may name a person, and does not print.
pub(super) struct TaskFacts<'a> {
    pub(super) controller: &'a str,
    pub(super) system: &'a str,
    pub(super) owner: &'a str,
    pub(super) operator: &'a str,
    pub(super) instructions: &'a str,
    pub(super) asked: Option<AskedRight>,
    pub(super) task: &'a Task,
    pub(super) due: String,
    pub(super) overdue: bool,
    pub(super) to: &'a str,
    pub(super) link: Option<String>,
    pub(super) identities: Vec<Identity>,
}

/// Subject and text of a mail.
pub(super) fn write(
    about: MailAbout,
    purpose: Option<Purpose>,
    facts: &TaskFacts<'_>,
) -> (String, String) {
    let (system, due) = (facts.system, &facts.due);
    let overdue = if facts.overdue { "overdue" } else { "due soon" };
    let subject = match about {
        MailAbout::Task | MailAbout::Letter => format!("Task: {system}, by {due}"),
        MailAbout::Confirmation => format!("Please confirm a task: {system}, by {due}"),
        MailAbout::Reminder => format!("Task {overdue}: {system}, by {due}"),
        MailAbout::Escalation => format!("Task overdue: {system}, was due {due}"),
    };
    let mut text = format!("Hello {},\n\n", facts.to);
    let opening = opening(about, purpose, facts);
    let lines = [
        opening,
        String::new(),
        format!("Where:    {} ({system})", facts.operator),
        format!("To do:    {}", facts.instructions),
        format!("Due:      {due}{}", if facts.overdue { ", overdue" } else { "" }),
        format!("Task:     {}", facts.task.job_id),
    ];
    // Writing to a text does not fail.
    writeln!(text, "{}", lines.join("\n")).unwrap_or_default();
    if let Some(asked) = facts.asked {
        writeln!(text, "Asked:    {asked}").unwrap_or_default();
    }
    for identity in &facts.identities {
        writeln!(text, "Whom:     {} {}", identity.kind, identity.value).unwrap_or_default();
    }
    writeln!(text, "\n{}", closing(purpose, facts)).unwrap_or_default();
    writeln!(text, "\n{}", facts.controller).unwrap_or_default();
    (subject, text)
}

fn opening(about: MailAbout, purpose: Option<Purpose>, facts: &TaskFacts<'_>) -> String {
    let said_by = facts.task.done.as_ref().map_or("somebody", |(by, _)| by.as_str());
    match (about, purpose) {
        (MailAbout::Escalation, _) => format!(
            "a task in a system that you answer for ({}) is overdue. It is with {}{}.",
            facts.owner,
            facts.task.assignee,
            if facts.task.done.is_some() { ", done and not confirmed" } else { "" },
        ),
        (_, Some(Purpose::Confirming)) => {
            format!("{said_by} has said what became of a task. A second person has to confirm it.")
        }
        (MailAbout::Reminder, _) => "this reminds you of a task that only you can do.".to_owned(),
        _ => "a person has asked for something that only you can do.".to_owned(),
    }
}

fn closing(purpose: Option<Purpose>, facts: &TaskFacts<'_>) -> String {
    let job = facts.task.job_id;
    match (purpose, &facts.link) {
        (None, _) => {
            format!("`quietus task list` shows it, and `quietus task show {job}` whom it is about.")
        }
        (Some(Purpose::Doing), Some(link)) => format!(
            "Whom it is about and where to say what became of it:\n{link}\n\nThe link is for you alone and is good for one answer. Do not pass it on."
        ),
        (Some(Purpose::Confirming), Some(link)) => format!(
            "Where to look at it and to confirm it:\n{link}\n\nThe link is for you alone and is good for one answer. Do not pass it on."
        ),
        (Some(Purpose::Doing), None) => format!(
            "`quietus task show {job}` says whom it is about, `quietus task done {job}` what became of it."
        ),
        (Some(Purpose::Confirming), None) => {
            format!("Confirm it with `quietus task confirm {job}`.")
        }
    }
}
