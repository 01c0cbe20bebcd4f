//! Failed jobs are tried again in bulk, in however old a case, each with its entry.

use crate::company::database::Kind;
use crate::company::heap;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_counts_and_a_real_one_tries_every_case() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, "{}").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    company.quietus(&["retry", "--dry-run"]).await.expect(1);
    company.quietus(&["retry", "--dry-run", "--system", "nowhere"]).await.expect(2);
    // Thirty persons' parts in thirty cases, all failed in the same way.
    let text = "INSERT INTO cases (id, cause, moment, state, outcome, rules_digest, map_digest, plan,
            plan_digest, authors, opened_by, created_at, closed_at)
        SELECT randomblob(16), 'request', moment, 'closed', 'failed', rules_digest, map_digest, plan,
            plan_digest, authors, opened_by, created_at, closed_at
        FROM cases, (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
            SELECT i FROM n) WHERE cause = 'command' LIMIT 30 RETURNING cause";
    assert_eq!(company.store_rows(text).await.len(), 30);
    let text = "INSERT INTO jobs (id, case_id, system, kind, state, attempt, attempts_allowed,
            available_at, payload, last_fault_kind, last_fault, created_at, settled_at)
        SELECT randomblob(16), cases.id, 'heap', 'request', 'failed', 8, 8, 0, '{}', 'transient',
            'it does not answer', cases.created_at, cases.created_at
        FROM cases WHERE cause = 'request' RETURNING kind";
    assert_eq!(company.store_rows(text).await.len(), 30);
    let failed = "SELECT CAST(COUNT(*) AS TEXT) FROM jobs WHERE state = 'failed'";
    let dry = company.quietus(&["retry", "--system", "heap", "--dry-run"]).await.expect(0);
    assert!(dry.out.contains("heap: 30 job(s) failed (transient)"), "{}", dry.out);
    assert!(dry.out.contains("30 job(s) would be tried again"), "{}", dry.out);
    assert_eq!(company.store_rows(failed).await, ["30"], "nothing was changed");
    let retried = "SELECT CAST(COUNT(*) AS TEXT) FROM evidence_details WHERE kind = 'step.retried'";
    assert_eq!(company.store_rows(retried).await, ["0"]);
    let done = company.quietus(&["retry", "--system", "heap"]).await.expect(0);
    assert!(done.out.contains("30 job(s) are tried again"), "{}", done.out);
    assert_eq!(company.store_rows(failed).await, ["0"]);
    assert_eq!(company.store_rows(retried).await, ["30"], "each has its entry");
    company.quietus(&["retry", "--system", "heap"]).await.expect(1);
}
