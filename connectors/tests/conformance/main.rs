//! The conformance suite: one body of tests for every kind of SQL system.
//!
//! `tests/run` starts the servers and names them in the environment. Every test gets a database
//! of its own; its name says the kind: `postgresql::erases_exactly_the_scope`.

#[macro_use]
mod roll;

mod drafting;
mod fixture;
mod scope;

conformance! {
    everywhere {
        scope::preview_changes_nothing,
        scope::erases_exactly_the_scope,
        scope::the_cutoff_itself_is_due_and_a_microsecond_later_is_not,
        scope::held_records_stay_untouched,
        scope::the_same_key_again_counts_nothing_twice,
        scope::text_is_compared_exactly,
        scope::constants_are_values_and_never_sql,
        scope::lists_of_ten_thousand_keys,
        scope::an_empty_order_and_an_absent_subject_are_done_with_zero,
    }
    postgresql_and_mariadb {}
    postgresql {}
    mariadb {}
    sqlite {}
}
