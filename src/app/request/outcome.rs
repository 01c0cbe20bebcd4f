//! How a request ended, by what its certificate says.

use quietus_connectors::SubjectAction;

use super::record::OpenRequest;
use crate::domain::RequestOutcome;
use crate::evidence::statement::{StatementOutcome, SystemStatement};

/// How a request ended: what it asked for may have been so already.
pub(super) fn outcome_for(
    request: &OpenRequest,
    action: SubjectAction,
    statements: &[SystemStatement],
) -> RequestOutcome {
    let outcome = outcome_of(statements);
    let was_so_already = action != SubjectAction::Erase && request.record.found > 0;
    if outcome == RequestOutcome::NotFound && was_so_already {
        return RequestOutcome::Fulfilled;
    }
    outcome
}

/// How a request ended, by what its certificate says.
fn outcome_of(statements: &[SystemStatement]) -> RequestOutcome {
    let any = |wanted: StatementOutcome| statements.iter().any(|one| one.outcome == wanted);
    if any(StatementOutcome::Failed)
        || any(StatementOutcome::Pending)
        || any(StatementOutcome::Skipped)
        || any(StatementOutcome::Partial)
    {
        return RequestOutcome::Failed;
    }
    if statements.iter().any(|one| !one.kept.is_empty() || !one.staying_fields.is_empty()) {
        return RequestOutcome::PartiallyRetained;
    }
    let nothing = |one: &SystemStatement| {
        one.outcome == StatementOutcome::NotFound
            || one.recipient.is_some()
                && one.outcome == StatementOutcome::AttestedByProcessor
                && one.recipient.as_ref().is_some_and(|party| party.grade.is_none())
    };
    if statements.iter().all(nothing) {
        return RequestOutcome::NotFound;
    }
    RequestOutcome::Fulfilled
}
