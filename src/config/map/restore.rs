//! What a system's file says of its restores.

use crate::config::document::SystemDocument;
use crate::config::leaf::Words;
use crate::config::problem::{At, Problem};
use crate::config::read::{List, items};
use crate::datamap::RestoreSettings;

/// The settings of a system, reporting what does not fit it.
pub(super) fn settings(document: &SystemDocument, problems: &mut Vec<Problem>) -> RestoreSettings {
    let Some(written) = &document.restore else { return RestoreSettings::default() };
    let kind = document.kind.as_ref().map_or("", |kind| kind.value.0.as_str());
    if super::third_party::is_kind(kind) || super::is_store(document) {
        problems.push(
            Problem::error(&written.place, "this is no database")
                .help("leave `restore` out; it is for databases"),
        );
        return RestoreSettings::default();
    }
    let document = &written.value;
    if let (Some(accounts), "sqlite") = (&document.keep_out, kind) {
        problems.push(
            Problem::error(&accounts.place, "SQLite has no accounts that could be kept out").help(
                "stop the application by a `hook` instead, such as `[/usr/local/bin/crm-gate]`",
            ),
        );
    }
    if let Some(hook) = document.hook.as_ref().filter(|hook| items(Some(*hook)).is_empty()) {
        problems.push(
            Problem::error(&hook.place, "a hook is a program with its arguments")
                .help("write a list, such as `[/usr/local/bin/crm-gate]`"),
        );
    }
    RestoreSettings {
        keep_out: words(document.keep_out.as_ref()),
        hook: words(document.hook.as_ref()),
        opens: document.open.as_ref().map(|word| word.value.0).unwrap_or_default(),
    }
}

fn words(list: Option<&At<List<Words>>>) -> Vec<String> {
    items(list).iter().map(|word| word.value.0.clone()).collect()
}
