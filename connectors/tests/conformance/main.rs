//! The conformance suite: one body of tests for every kind of SQL system.
//!
//! `tests/run` starts the servers, and poolers before PostgreSQL, and names them in the environment. Every test gets a database
//! of its own; its name says the kind: `postgresql::erases_exactly_the_scope`.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails there")]

#[macro_use]
mod roll;

mod associations;
mod capitals;
mod catalogue;
mod categories;
mod dates;
mod discretion;
mod drafting;
mod drift;
mod fixture;
mod held_of_several;
mod inheritance;
mod keys;
mod legacy;
mod links;
mod locks;
mod logic;
mod manifests;
mod names;
mod of_persons;
mod partitions;
mod people;
mod reach;
mod references;
mod residues;
mod resolution;
mod restriction;
mod resume;
mod scope;
mod settled;
mod shared;
mod steering;
mod strategies;
mod together;
mod unseen;
mod verification;

conformance! {
    everywhere {
        capitals::do_not_count_where_the_field_says_so,
        capitals::in_the_way_of_an_index_are_told,
        capitals::are_passed_over_through_an_index,
        associations::a_shallow_link_is_emptied_when_its_parent_goes,
        associations::a_kept_collection_loses_its_associations_too,
        associations::a_held_record_keeps_the_parent_of_its_association,
        associations::what_may_not_be_null_is_refused_or_takes_a_constant,
        associations::a_link_of_several_fields_is_emptied_where_it_can_be,
        associations::answers_stay_when_what_they_answer_goes,
        associations::a_record_that_goes_anyway_is_counted_once,
        shared::of_two_owners_one_goes_and_the_record_stays,
        shared::with_the_last_owner_the_record_goes,
        shared::both_owners_in_one_order_take_the_record_along,
        shared::a_held_owner_or_record_keeps_what_is_shared,
        shared::an_owner_that_is_kept_keeps_what_is_shared,
        shared::a_shared_record_that_stays_keeps_its_last_owner,
        shared::owners_may_be_joined_by_records_of_nothing_but_keys,
        associations::what_refers_to_nobody_afterwards_is_found,
        associations::stopped_after_every_chunk_it_counts_the_same,
        associations::of_several_orders_each_goes_by_itself,
        catalogue::describes_tables_views_keys_and_references,
        catalogue::describes_what_references_do,
        catalogue::the_progress_table_is_not_described,
        categories::an_order_loses_its_address_and_later_goes_as_a_whole,
        categories::two_categories_of_one_record_are_counted_apart,
        categories::a_condition_may_read_the_field_that_is_cleared,
        categories::a_category_that_holds_the_clock_is_refused,
        categories::a_category_that_holds_a_childs_clock_is_refused,
        categories::a_record_that_must_stay_is_treated_instead,
        dates::moments_and_days_at_the_cutoff,
        dates::local_time_around_the_change_of_clocks,
        discretion::planted_values_never_come_back,
        discretion::a_violated_unique_constraint_is_told_without_values,
        discretion::a_violated_check_is_told_without_values,
        discretion::an_applications_own_error_is_not_passed_on,
        drift::a_new_field_stops_the_order,
        drift::a_new_field_of_a_kept_collection_stops_the_order,
        drift::a_missing_field_stops_the_order,
        drift::a_missing_collection_stops_the_order,
        drift::another_key_stops_the_order,
        drift::what_fits_is_no_drift,
        keys::keys_of_whole_numbers,
        keys::keys_of_text,
        keys::keys_of_uuids,
        keys::keys_of_bytes,
        keys::keys_of_days_moments_and_decimals,
        keys::keys_of_several_fields,
        legacy::a_uuid_kept_as_text_is_known_in_every_form,
        legacy::a_link_between_text_and_numbers_is_refused,
        legacy::a_number_that_says_none_is_never_due,
        legacy::a_constant_that_the_column_rewrites_is_done_once,
        legacy::whole_seconds_compare_exactly_with_fractions,
        legacy::a_constraint_is_not_named_by_what_an_application_says,
        legacy::a_chain_of_more_than_a_thousand_links_is_counted_to_its_end,
        legacy::one_table_under_two_names_is_refused,
        links::the_starting_point_may_be_two_levels_up,
        links::a_needed_link_keeps_the_parent,
        links::negation_through_a_link_holds_without_a_parent,
        links::inactivity_takes_the_latest_of_several,
        links::links_may_have_several_fields,
        links::inspect_reads_own_and_linked_fields,
        locks::two_orders_at_once_share_the_work,
        locks::many_orders_begin_at_once,
        locks::records_per_second_are_bounded,
        logic::random_predicates_agree_with_a_plain_evaluator,
        logic::random_deletions_leave_exactly_the_others,
        of_persons::are_counted_exactly_wherever_they_are_looked_for,
        of_persons::that_went_are_missing_afterwards,
        of_persons::are_counted_without_reading_all_others,
        of_persons::are_theirs_though_they_are_held,
        manifests::every_record_that_goes_is_told,
        manifests::stopped_after_every_chunk_each_record_is_told_once,
        manifests::nothing_goes_that_is_not_written_down,
        manifests::dropped_anywhere_each_record_is_told_once,
        manifests::without_anybody_to_list_them_nothing_goes,
        manifests::a_collection_that_does_not_ask_is_not_told,
        manifests::keys_are_told_in_their_types,
        manifests::records_in_circles_and_on_lists_are_told,
        manifests::several_orders_with_a_manifest_go_one_by_one,
        manifests::without_a_manifest_nothing_is_marked,
        names::awkward_names_are_quoted,
        reach::every_kind_opens_and_no_other,
        reach::check_names_the_product,
        reach::a_missing_database_is_misconfigured,
        references::children_go_first_and_keep_their_parents,
        references::a_kept_child_is_not_taken_along,
        references::a_held_child_keeps_its_parent,
        references::a_cascade_into_what_is_not_mapped_is_refused,
        references::an_unmapped_child_is_never_harmed,
        references::set_null_releases_the_child_but_touches_no_held_one,
        references::composite_references_are_followed,
        references::a_self_reference_goes_from_the_leaves,
        references::a_circle_of_references_is_settled,
        references::a_chain_of_collections_is_kept_from_its_lowest_link,
        together::several_orders_do_what_one_for_all_does,
        together::each_of_several_orders_gets_its_own_counts,
        together::orders_go_on_in_other_company,
        together::what_cannot_be_told_apart_is_left_to_each,
        held_of_several::each_is_told_what_a_hold_keeps_while_it_does,
        together::small_chunks_change_no_counts,
        together::several_people_are_erased_without_reading_the_tables,
        people::starting_from_lists_changes_no_result,
        settled::in_one_transaction_the_same_happens,
        people::stopped_and_dropped_everywhere_it_counts_the_same,
        people::a_record_that_comes_back_is_found,
        people::spellings_are_told_apart_through_a_link,
        people::one_person_is_erased_without_reading_the_table,
        residues::every_declared_stage_is_told_for_each_who_waits,
        residues::a_table_that_is_gone_keeps_nobody_waiting_and_a_strange_mark_is_refused,
        residues::stages_and_drives_belong_together,
        resolution::every_alternative_finds_its_records_once,
        resolution::an_answer_is_bounded_and_says_so,
        resolution::what_no_record_can_hold_finds_nothing,
        resolution::a_thousand_identities_are_found,
        resolution::identities_are_found_through_their_index,
        restriction::a_boolean_says_so,
        restriction::a_moment_says_since_when,
        restriction::a_record_moves_away_and_back,
        restriction::a_moved_record_keeps_its_key,
        restriction::restriction_and_deletion_in_one_order,
        resume::stopped_after_every_chunk_and_resumed_is_complete,
        resume::progress_reports_grow_and_end_with_the_receipt,
        resume::dropped_anywhere_and_resumed_is_complete,
        resume::an_overtaken_attempt_commits_nothing_more,
        resume::an_older_attempt_cannot_begin,
        resume::two_orders_do_not_mix_their_counts,
        resume::forget_removes_what_was_kept_to_resume,
        resume::the_limit_of_records_is_never_passed,
        scope::preview_changes_nothing,
        scope::erases_exactly_the_scope,
        scope::the_cutoff_itself_is_due_and_a_microsecond_later_is_not,
        scope::held_records_stay_untouched,
        scope::the_same_key_again_counts_nothing_twice,
        scope::text_is_compared_exactly,
        scope::a_hold_covers_what_the_collation_takes_for_the_same,
        scope::constants_are_values_and_never_sql,
        scope::lists_of_ten_thousand_keys,
        scope::an_empty_order_and_an_absent_subject_are_done_with_zero,
        steering::a_hold_through_a_collections_own_link_is_not_cleared,
        steering::a_start_through_a_collections_own_link_is_not_cleared,
        steering::a_held_category_of_a_linked_person_stays,
        steering::a_held_category_of_a_person_who_is_not_held_is_refused,
        steering::who_reads_a_field_is_treated_before_it_goes,
        steering::a_replacement_that_a_list_could_name_is_refused,
        strategies::null_empties_every_type,
        strategies::constants_of_every_type,
        strategies::days_and_moments_lose_their_detail,
        strategies::moments_kept_as_numbers_lose_their_detail,
        strategies::addresses_lose_their_last_part,
        strategies::numbers_become_the_lower_bound_of_their_band,
        strategies::text_keeps_its_first_characters_or_a_marker,
        strategies::unique_values_do_not_collide,
        strategies::a_lookalike_of_a_unique_value_is_replaced,
        strategies::null_where_it_is_not_allowed_is_refused,
        strategies::a_generated_column_is_never_written,
        strategies::a_violated_constraint_is_no_success,
        verification::finds_nothing_after_a_clean_sweep,
        verification::finds_a_record_that_came_afterwards,
        verification::finds_a_field_that_was_filled_again,
        verification::what_must_stay_is_no_survivor,
        verification::finds_a_record_whose_restriction_was_removed,
    }
    // A column of SQLite may hold anything: its declared type is only a hint.
    postgresql_and_mariadb {
        drift::another_type_stops_the_order,
        reach::wrong_credentials_are_misconfigured_and_not_printed,
        reach::an_unreachable_server_is_transient,
        reach::missing_privileges_are_named,
        reach::a_missing_right_to_temporary_tables_is_named,
        reach::a_broken_connection_is_never_done,
        locks::gives_way_to_a_lock_and_finishes_later,
        locks::applications_do_not_queue_behind_the_connector,
        locks::a_long_reader_is_no_obstacle,
        locks::a_slow_statement_is_cancelled,
    }
    postgresql {
        restriction::the_oldest_of_many_are_restricted_without_reading_the_others,
        manifests::no_partition_is_dropped,
        partitions::only_a_partition_that_is_due_as_a_whole_is_dropped,
        partitions::without_leave_no_partition_is_dropped,
        partitions::of_several_orders_records_go_and_partitions_stay,
        partitions::a_reference_keeps_the_partition,
        partitions::the_limit_of_records_holds_for_partitions,
        partitions::dropping_gives_way_to_a_reader,
        catalogue::describes_partitions_once,
        legacy::a_moment_before_all_others_is_never_due,
        reach::a_pooler_that_lends_connections_is_refused,
        resume::what_is_kept_outside_of_public_is_found_again,
        inheritance::a_mapped_heir_stops_the_order,
        inheritance::heirs_that_nobody_mapped_are_part_of_their_table,
        inheritance::what_refers_to_an_heir_stops_the_order,
    }
    mariadb {
        legacy::a_day_of_zeros_is_never_due,
        locks::a_record_that_is_changed_meanwhile_is_tried_again,
        settled::who_has_another_address_by_then_is_left_alone,
        legacy::a_treatment_is_no_activity,
        legacy::an_entry_beyond_the_character_set_names_nobody,
        unseen::a_table_that_the_account_is_not_shown_stops_the_order,
        unseen::what_other_databases_do_is_known_or_said_not_to_be,
    }
    sqlite {
        legacy::a_uuid_kept_as_bytes_in_a_column_of_text_is_known,
        legacy::numbers_in_columns_of_text_compare_as_numbers,
        reach::a_file_that_is_no_database_is_misconfigured,
        dates::text_that_is_no_moment_is_never_due,
        locks::gives_way_to_another_writer,
    }
}
