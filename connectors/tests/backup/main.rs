//! Backup stores: one body of tests for every kind, with the real tools, and what is peculiar to
//! each.
//!
//! `tests/run` installs the tools and starts the PostgreSQL of which pgBackRest and barman have
//! copies. Every test gets a store of its own; its name says the kind:
//! `restic::lists_copies_from_before_and_after`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod barman_store;
mod borg_inside;
mod borg_store;
mod conformance;
mod discretion;
mod dumps_store;
mod faults;
mod ground;
#[path = "../heard/mod.rs"]
mod heard;
mod pgbackrest_store;
mod pruning;
mod remains;
mod restic_store;

/// The same tests for every kind.
macro_rules! for_every_kind {
    ($($body:ident::$test:ident),* $(,)?) => {
        for_every_kind!(@kind restic { $($body::$test),* });
        for_every_kind!(@kind borg { $($body::$test),* });
        for_every_kind!(@kind pgbackrest { $($body::$test),* });
        for_every_kind!(@kind barman { $($body::$test),* });
        for_every_kind!(@kind dumps { $($body::$test),* });
    };
    (@kind $kind:ident { $($body:ident::$test:ident),* }) => {
        mod $kind {
            $(
                #[tokio::test]
                async fn $test() {
                    crate::$body::$test(stringify!($kind)).await;
                }
            )*
        }
    };
}

for_every_kind! {
    conformance::says_what_it_is,
    conformance::lists_copies_from_before_and_after,
    conformance::expires_exactly_what_is_named,
    conformance::expires_again_without_harm,
    conformance::a_place_that_is_not_there_is_no_empty_store,
    conformance::unknown_parameters_are_refused,
    faults::a_tool_that_is_missing_is_named_with_its_package,
    faults::nonsense_is_a_fault_and_no_empty_list,
    faults::a_tool_that_is_killed_while_it_reads,
    faults::a_tool_that_is_killed_while_it_removes,
    faults::a_tool_that_never_ends,
    faults::a_tool_that_nobody_waits_for_is_ended,
    discretion::secrets_are_in_no_argument_and_no_message,
    remains::keeps_nothing_of_what_it_gave_up,
}
