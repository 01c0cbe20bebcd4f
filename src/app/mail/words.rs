//! The words of mails about tasks: what to do, by when, and the link, in the language of whoever
//! works on the task. They name the person only where the instance says so.

use quietus_connectors::Identity;
use serde::Serialize;

use super::link::Purpose;
use crate::domain::AskedRight;
use crate::rights::{LetterError, fill};
use crate::store::{MailAbout, Task};

/// Languages in which tasks are written, each with its template. The first one stands in for others.
const TEMPLATES: [(&str, &str); 3] = [
    ("en", include_str!("task/en.txt")),
    ("de", include_str!("task/de.txt")),
    ("zh", include_str!("task/zh.txt")),
];

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

/// The same as the template names it.
#[derive(Serialize)]
struct Filling<'a> {
    about: MailAbout,
    purpose: Option<&'static str>,
    controller: &'a str,
    system: &'a str,
    owner: &'a str,
    operator: &'a str,
    instructions: &'a str,
    asked: Option<&'static str>,
    task: String,
    assignee: &'a str,
    said_by: Option<&'a str>,
    due: &'a str,
    overdue: bool,
    to: &'a str,
    link: Option<&'a str>,
    identities: &'a [Identity],
}

/// The language among ours that is meant by one such as `de-AT`; English where there is none.
pub(super) fn language_of(wanted: Option<&str>) -> &'static str {
    let short = wanted.and_then(|wanted| wanted.split(['-', '_']).next()).unwrap_or_default();
    let found = TEMPLATES.iter().find(|(language, _)| language.eq_ignore_ascii_case(short));
    found.map_or(TEMPLATES[0].0, |(language, _)| *language)
}

/// Subject and text of a mail, in one of our languages.
///
/// # Errors
/// Where the template cannot be filled.
pub(super) fn write(
    language: &str,
    (about, purpose): (MailAbout, Option<Purpose>),
    facts: &TaskFacts<'_>,
) -> Result<(String, String), LetterError> {
    let found = TEMPLATES.iter().find(|(one, _)| *one == language);
    let (_, template) = found.unwrap_or(&TEMPLATES[0]);
    let filling = Filling {
        about,
        purpose: purpose.map(|purpose| match purpose {
            Purpose::Doing => "doing",
            Purpose::Confirming => "confirming",
        }),
        controller: facts.controller,
        system: facts.system,
        owner: facts.owner,
        operator: facts.operator,
        instructions: facts.instructions,
        asked: facts.asked.map(|asked| asked_in(language, asked)),
        task: facts.task.job_id.to_string(),
        assignee: &facts.task.assignee,
        said_by: facts.task.done.as_ref().map(|(by, _)| by.as_str()),
        due: &facts.due,
        overdue: facts.overdue,
        to: facts.to,
        link: facts.link.as_deref(),
        identities: &facts.identities,
    };
    fill("task", template, &filling)
}

/// What a person asks for, as whoever works on a task reads it.
pub(super) fn asked_in(language: &str, asked: AskedRight) -> &'static str {
    let of = |en, de, zh| match language {
        "de" => de,
        "zh" => zh,
        _ => en,
    };
    match asked {
        AskedRight::Erasure => of("erasure", "Löschung", "删除"),
        AskedRight::Restriction => of("restriction", "Einschränkung der Verarbeitung", "限制处理"),
        AskedRight::Lifting => of("lifting", "Aufhebung der Einschränkung", "解除限制"),
        AskedRight::Objection => of("objection", "Widerspruch", "反对"),
        AskedRight::Access => of("access", "Auskunft", "查阅"),
        AskedRight::Rectification => of("rectification", "Berichtigung", "更正"),
        AskedRight::Portability => of("portability", "Datenübertragbarkeit", "转移"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::store::{TaskResult, TaskState};

    fn task(done: bool) -> Task {
        let at: Timestamp = "2027-01-04T12:00:00Z".parse().unwrap();
        Task {
            job_id: Uuid::from_u128(0x0198 << 96),
            case_id: Uuid::from_u128(0x0199 << 96),
            system: "archive".to_owned(),
            assignee: "Ben Example".to_owned(),
            opened_at: at,
            due_at: at,
            reminded_at: None,
            state: if done { TaskState::Done } else { TaskState::Open },
            done: done.then(|| ("Ben Example".to_owned(), at)),
            result: done.then_some(TaskResult::Done),
            evidence_sha256: None,
            note: None,
            confirmed: None,
        }
    }

    fn written(language: &str, about: MailAbout, purpose: Option<Purpose>) -> String {
        let task = task(purpose == Some(Purpose::Confirming));
        let doing = purpose == Some(Purpose::Doing);
        let facts = TaskFacts {
            controller: "Example Company",
            system: "archive",
            owner: "Clara Example",
            operator: "Example Archive",
            instructions: "Take the file out of shelf 3 and shred it",
            asked: Some(AskedRight::Erasure),
            task: &task,
            due: "2027-01-14 13:00 CET".to_owned(),
            overdue: about == MailAbout::Escalation,
            to: "Ben Example",
            link: purpose.map(|_| "https://quietus.example/v1/tasks/answer/AAAA".to_owned()),
            identities: if doing {
                vec![Identity { kind: "customer_id".to_owned(), value: "4711".to_owned() }]
            } else {
                Vec::new()
            },
        };
        let (subject, text) = write(language, (about, purpose), &facts).unwrap();
        format!("{subject}\n\n{text}")
    }

    #[test]
    fn every_mail_of_a_task_is_written_in_every_language() {
        for (language, _) in TEMPLATES {
            let all = [
                written(language, MailAbout::Task, Some(Purpose::Doing)),
                written(language, MailAbout::Confirmation, Some(Purpose::Confirming)),
                written(language, MailAbout::Reminder, Some(Purpose::Doing)),
                written(language, MailAbout::Escalation, None),
            ];
            for one in &all {
                for part in ["2027-01-14 13:00 CET", "Example Archive", "shelf 3", "00000198"] {
                    assert!(one.contains(part), "`{part}` in {language}: {one}");
                }
                assert!(!one.contains("none") && !one.contains("{{"), "{one}");
            }
            assert!(all[0].contains("4711") && all[0].contains("/answer/AAAA"));
            assert!(!all[3].contains("/answer/"));
            insta::assert_snapshot!(format!("task_{language}"), all.join("\n-----\n\n"));
        }
    }

    #[test]
    fn a_region_is_written_to_in_its_language_and_others_in_english() {
        assert_eq!(language_of(Some("de-AT")), "de");
        assert_eq!(language_of(Some("ZH_hant")), "zh");
        assert_eq!(language_of(Some("tlh")), "en");
        assert_eq!(language_of(None), "en");
    }
}
