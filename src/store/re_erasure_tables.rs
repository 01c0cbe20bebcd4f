//! Which tables the re-erasure list mirrors, in the order in which their rows can be put back.
//!
//! What is not among them is either made anew (tiles, checkpoints, anchors), is of no use in a
//! recovered store (leases, mails that may have gone out), or is too large for it (which single
//! records were in a run).

use super::re_erasure_table::{Table, table};
use super::statement::Sql;

// A failed job that was tried again is first what it was then.
const TRIED_AGAIN: Sql = Sql::fork(
    "UPDATE jobs SET state = 'available', settled_at = NULL
     FROM (SELECT unhex(value ->> 'id') AS id, CAST(value ->> 'attempt' AS INTEGER) AS attempt
         FROM json_each($1)) AS later
     WHERE jobs.id = later.id AND jobs.state = 'failed' AND later.attempt > jobs.attempt",
    "UPDATE jobs SET state = 'available', settled_at = NULL
     FROM (SELECT (value ->> 'id')::uuid AS id, (value ->> 'attempt')::bigint AS attempt
         FROM json_array_elements($1::text::json) AS rows (value)) AS later
     WHERE jobs.id = later.id AND jobs.state = 'failed' AND later.attempt > jobs.attempt",
);

// Whoever was forgotten since is not known again.
const OTHER_PERSONS: Sql = Sql::fork(
    "DELETE FROM request_persons WHERE request_id = $2
       AND tag NOT IN (SELECT unhex(value ->> 'tag') FROM json_each($1))",
    "DELETE FROM request_persons WHERE request_id = $2
       AND tag NOT IN (SELECT decode(value ->> 'tag', 'hex')
           FROM json_array_elements($1::text::json) AS rows (value))",
);

// When a key came into use is what this store knows of it.
const SIGNING_KEYS_ENDED: Sql = Sql::fork(
    "UPDATE signing_keys SET retired_at = later.retired_at,
         compromised_since = later.compromised_since
     FROM (SELECT unhex(value ->> 'key_id') AS key_id,
             CAST(value ->> 'retired_at' AS INTEGER) AS retired_at,
             CAST(value ->> 'compromised_since' AS INTEGER) AS compromised_since
         FROM json_each($1)) AS later
     WHERE signing_keys.key_id = later.key_id AND later.retired_at IS NOT NULL
       AND (signing_keys.retired_at IS NULL
           OR signing_keys.compromised_since IS DISTINCT FROM later.compromised_since)",
    "UPDATE signing_keys SET retired_at = later.retired_at,
         compromised_since = later.compromised_since
     FROM (SELECT decode(value ->> 'key_id', 'hex') AS key_id,
             (value ->> 'retired_at')::bigint AS retired_at,
             (value ->> 'compromised_since')::bigint AS compromised_since
         FROM json_array_elements($1::text::json) AS rows (value)) AS later
     WHERE signing_keys.key_id = later.key_id AND later.retired_at IS NOT NULL
       AND (signing_keys.retired_at IS NULL
           OR signing_keys.compromised_since IS DISTINCT FROM later.compromised_since)",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("re_erasure_tables::TRIED_AGAIN", TRIED_AGAIN),
    ("re_erasure_tables::OTHER_PERSONS", OTHER_PERSONS),
    ("re_erasure_tables::SIGNING_KEYS_ENDED", SIGNING_KEYS_ENDED),
];

/// Rules and data maps, each an entry of its own.
pub(super) const OF_DOCUMENT: &[Table] = &[Table {
    read: Sql::fork(
        "SELECT * FROM documents WHERE substr(digest, 1, 16) = $1",
        "SELECT * FROM documents WHERE encode(substring(digest FROM 1 FOR 16), 'hex')::uuid = $1",
    ),
    ..table!("documents", key ("digest": Bytes),
        columns ("digest": Bytes, "kind": Text, "content": Bytes, "first_seen_at": Int),
        of "WHERE digest IS NOT NULL", add)
}];

/// What belongs to a case.
pub(super) const OF_CASE: &[Table] = &[
    table!("schedules", key ("name": Text),
        columns ("name": Text, "cursor_at": Int, "version": Int),
        of "WHERE name = (SELECT schedule FROM cases WHERE id = $1)",
        renew " AND later.cursor_at > schedules.cursor_at"),
    table!("cases", key ("id": Id),
        columns ("id": Id, "cause": Text, "schedule": Text, "due_at": Int, "moment": Int,
            "state": Text, "outcome": Text, "rules_digest": Bytes, "map_digest": Bytes,
            "plan": Text, "plan_digest": Bytes, "authors": Text, "lag_us": Int,
            "blocked_reason": Text, "opened_by": Text, "created_at": Int, "approved_at": Int,
            "approved_by": Text, "approved_reason": Text, "cancelled_at": Int,
            "cancelled_by": Text, "cancelled_reason": Text, "closed_at": Int),
        of "WHERE id = $1", renew ""),
    table!("schedule_fires", key ("schedule": Text, "due_at": Int),
        columns ("schedule": Text, "due_at": Int, "fired_at": Int, "disposition": Text,
            "case_id": Id),
        of "WHERE case_id = $1 ORDER BY schedule, due_at", add),
    table!("jobs", key ("id": Id),
        columns ("id": Id, "case_id": Id, "system": Text, "kind": Text, "state": Text,
            "attempt": Int, "attempts_allowed": Int, "available_at": Int, "leased_by": Text,
            "lease_until": Int, "payload": Text, "done": Text, "verification": Text,
            "total_estimate": Int, "blocked_reason": Text, "hold_matters": Text,
            "reference": Text, "last_fault_kind": Text, "last_fault": Text,
            "cancel_requested_at": Int, "cancel_requested_by": Text, "created_at": Int,
            "settled_at": Int),
        of "WHERE case_id = $1 ORDER BY id",
        renew " AND later.attempt >= jobs.attempt
            AND (later.attempt > jobs.attempt OR later.state IS DISTINCT FROM jobs.state)",
        prepare TRIED_AGAIN),
    table!("attempts", key ("job_id": Id, "attempt": Int),
        columns ("job_id": Id, "attempt": Int, "worker": Text, "claimed_at": Int,
            "started_at": Int, "ended_at": Int, "result": Text, "fault_kind": Text,
            "message": Text),
        of "WHERE job_id IN (SELECT id FROM jobs WHERE case_id = $1) ORDER BY job_id, attempt",
        renew " AND attempts.ended_at IS NULL"),
    table!("tasks", key ("job_id": Id),
        columns ("job_id": Id, "case_id": Id, "system": Text, "assignee": Text, "state": Text,
            "result": Text, "opened_at": Int, "due_at": Int, "reminded_at": Int, "done_at": Int,
            "done_by": Text, "evidence_sha256": Bytes, "note": Text, "confirmed_at": Int,
            "confirmed_by": Text, "over_at": Int),
        of "WHERE job_id IN (SELECT id FROM jobs WHERE case_id = $1) ORDER BY job_id",
        renew " AND later.state IS DISTINCT FROM tasks.state"),
    table!("opendsr_asked", key ("system": Text, "subject_request_id": Id),
        columns ("system": Text, "subject_request_id": Id, "job_id": Id, "step": Int,
            "status": Text, "told_at": Int, "over_at": Int),
        of "WHERE job_id IN (SELECT id FROM jobs WHERE case_id = $1)
            ORDER BY system, subject_request_id",
        renew " AND later.step > opendsr_asked.step"),
    table!("vendor_names", key ("system": Text, "name_tag": Bytes, "job_id": Id),
        columns ("system": Text, "name_tag": Bytes, "job_id": Id),
        of "WHERE job_id IN (SELECT id FROM jobs WHERE case_id = $1)
            ORDER BY job_id, system, name_tag", add),
    table!("data_keys", key ("id": Id),
        columns ("id": Id, "case_id": Id, "epoch": Text, "wrapped": Bytes, "created_at": Int,
            "destroyed_at": Int),
        of "WHERE case_id = $1 ORDER BY id",
        renew " AND (later.wrapped IS NULL OR later.epoch > data_keys.epoch)"),
    table!("evidence_details", key ("entry_id": Id),
        columns ("detail_sha256": Bytes, "entry_id": Id, "case_id": Id, "job_id": Id,
            "kind": Text, "sealed": Bytes, "created_at": Int, "shredded_at": Int, "key_id": Id),
        of "WHERE case_id = $1 ORDER BY entry_id", renew " AND later.sealed IS NULL"),
    table!("certificates", key ("id": Id),
        columns ("id": Id, "case_id": Id, "class": Text, "state": Text, "overall": Text,
            "issued_at": Int, "entry_id": Id, "statement": Bytes, "envelope": Bytes,
            "manifest": Bytes, "bundle": Bytes, "superseded_by": Id, "anchored_at": Int,
            "status_list": Text, "status_index": Int),
        of "WHERE case_id = $1 ORDER BY issued_at, id",
        renew " AND (certificates.bundle IS NULL OR later.bundle IS NOT NULL)
            AND (certificates.anchored_at IS NULL OR later.anchored_at IS NOT NULL)"),
    table!("certificate_topics", key ("certificate_id": Id, "kind": Text, "name": Text),
        columns ("certificate_id": Id, "kind": Text, "name": Text),
        of "WHERE certificate_id IN (SELECT id FROM certificates WHERE case_id = $1)
            ORDER BY certificate_id, kind, name", add),
    table!("certificate_decisions", key ("certificate_id": Id, "number": Int),
        columns ("certificate_id": Id, "number": Int, "status": Text, "decided_at": Int),
        of "WHERE certificate_id IN (SELECT id FROM certificates WHERE case_id = $1)
            ORDER BY certificate_id, number", add),
];

/// What belongs to a person's request; after its case.
pub(super) const OF_REQUEST: &[Table] = &[
    table!("requests", key ("id": Id),
        columns ("id": Id, "source": Text, "external_id": Text, "content_digest": Bytes,
            "asked": Text, "state": Text, "outcome": Text, "received_at": Int,
            "recorded_at": Int, "look_at": Int, "case_id": Id, "body": Text,
            "wrapped_key": Bytes, "sealed": Bytes, "version": Int, "closed_at": Int,
            "forgotten_at": Int, "key_epoch": Text, "over_at": Int),
        of "WHERE id = $1", renew " AND later.version > requests.version"),
    table!("request_persons", key ("request_id": Id, "tag": Bytes),
        columns ("request_id": Id, "tag": Bytes, "epoch": Text, "sealed": Bytes),
        of "WHERE request_id = $1 ORDER BY tag", add, drop OTHER_PERSONS),
    table!("letters", key ("id": Id),
        columns ("id": Id, "request_id": Id, "kind": Text, "recipient": Text, "language": Text,
            "template_digest": Bytes, "sealed": Bytes, "written_at": Int, "delivered_at": Int,
            "delivered_by": Text, "delivery": Text, "reason": Text, "is_fee": Int),
        of "WHERE request_id = $1 ORDER BY id", renew ""),
    table!("opendsr_requests", key ("request_id": Id),
        columns ("request_id": Id, "controller": Text, "dialect": Text, "body_tag": Bytes,
            "group_tag": Bytes, "expected_at": Int, "status": Text, "seen_version": Int,
            "sealed_urls": Bytes),
        of "WHERE request_id = $1",
        renew " AND later.seen_version > opendsr_requests.seen_version"),
    table!("opendsr_callbacks", key ("request_id": Id, "place": Int, "step": Int),
        columns ("request_id": Id, "place": Int, "step": Int, "status": Text, "state": Text,
            "attempts": Int, "next_at": Int, "last_fault": Text, "created_at": Int,
            "settled_at": Int),
        of "WHERE request_id = $1 ORDER BY place, step", add),
];

/// Which jobs do again what a restore brought back; once every case and every restore is there.
pub(super) const OF_RESTORED: &[Table] = &[table!("restore_jobs", key ("job_id": Id),
    columns ("job_id": Id, "restore_id": Id),
    of "WHERE job_id IN (SELECT id FROM jobs WHERE case_id = $1) ORDER BY job_id", add)];

/// What is about the instance and has to be there before anything else.
pub(super) const OF_HOUSE: &[Table] = &[
    table!("key_epochs", key ("epoch": Text),
        columns ("epoch": Text, "key_check": Bytes, "begun_at": Int, "left_at": Int,
            "destroyed_at": Int),
        of "ORDER BY epoch", add),
    table!("holds", key ("id": Id),
        columns ("id": Id, "matter": Text, "scope": Text, "sealed": Bytes, "reason": Text,
            "placed_by": Text, "placed_at": Int, "review_on": Text, "released_at": Int,
            "released_by": Text),
        of "ORDER BY id", renew ""),
    table!("pauses", key ("id": Id),
        columns ("id": Id, "scope": Text, "name": Text, "paused_by": Text, "reason": Text,
            "paused_at": Int, "resumed_at": Int, "resumed_by": Text),
        of "ORDER BY id", renew ""),
    Table {
        renew: Some(SIGNING_KEYS_ENDED),
        ..table!("signing_keys", key ("key_id": Bytes),
            columns ("key_id": Bytes, "role": Text, "spki": Bytes, "added_at": Int,
                "retired_at": Int, "compromised_since": Int),
            of "ORDER BY added_at, key_id", add)
    },
    table!("renewed_tokens", key ("system": Text),
        columns ("system": Text, "sealed": Bytes, "renewed_at": Int),
        of "ORDER BY system", renew " AND later.renewed_at > renewed_tokens.renewed_at"),
    table!("canaries", key ("system": Text),
        columns ("system": Text, "number": Int, "written_at": Int, "name": Text),
        of "ORDER BY system", renew " AND later.number > canaries.number"),
    table!("status_lists", key ("name": Text),
        columns ("name": Text, "certificates": Int, "changes": Int, "signed_changes": Int,
            "issued_at": Int, "entry_id": Id, "envelope": Bytes, "bundled_entry": Id,
            "bundle": Bytes),
        of "ORDER BY name",
        renew " AND later.certificates >= status_lists.certificates
            AND later.changes >= status_lists.changes
            AND later.signed_changes >= status_lists.signed_changes"),
];

/// What is about the instance and speaks of cases; after them.
pub(super) const OF_HOUSE_LATER: &[Table] = &[table!("restores", key ("id": Id),
    columns ("id": Id, "system": Text, "taken_at": Int, "copy": Text, "announced": Int,
        "back_since": Int, "begun_at": Int, "begun_by": Text, "reason": Text, "case_id": Id,
        "forgotten": Int, "kept_out": Text, "opened_at": Int, "opened_by": Text),
    of "ORDER BY id", renew "")];

/// All of them.
pub(super) const ALL: &[&[Table]] =
    &[OF_DOCUMENT, OF_CASE, OF_REQUEST, OF_RESTORED, OF_HOUSE, OF_HOUSE_LATER];
