//! The conformance suite of the ledger adapters, run against each of them, with tests of what
//! only a shared ledger can do.
mod disconnects;
mod forget;
mod process;
mod requests;
mod resolution;
mod seals;
mod server;
mod suite;
mod workers;

macro_rules! conformance {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                crate::conformance::suite::$name(&crate::conformance::process::Home::file());
            })*
        }

        mod postgres {
            $(#[test]
            #[ignore = "needs PostgreSQL: tests/run brings it"]
            fn $name() {
                crate::conformance::suite::$name(&crate::conformance::process::Home::server());
            })*
        }
    };
}

conformance! {
    a_run_is_enrolled_with_every_row_and_reads_back
    a_creation_that_is_cut_short_is_nobodys_and_goes_on
    the_newest_run_with_a_key_is_found
    a_run_whose_identifier_another_has_gets_the_next
    rows_are_claimed_in_order_each_once_and_completed
    rows_go_in_the_order_of_their_places_if_they_have_one
    what_is_in_flight_may_have_been_sent
    a_claim_that_is_taken_back_leaves_no_trace
    a_row_that_did_not_end_is_tried_again
    a_row_that_was_rejected_after_a_lost_answer_is_counted_as_rejected_with_doubt
    a_row_for_which_there_is_no_budget_goes_on_waiting
    what_a_dead_process_had_in_flight_is_sent_again_in_doubt
    what_a_dead_process_had_in_flight_ends_in_doubt_where_nothing_is_sent_twice
    what_a_dead_process_left_waiting_is_taken_up_with_its_attempts
    a_row_in_doubt_is_described_by_the_attempt_that_left_the_doubt
    an_attempt_during_an_outage_that_stopped_the_run_does_not_count
    an_order_that_another_run_cancelled_is_not_sent
    an_order_that_another_run_cancelled_is_sent_if_that_is_asked_for
    many_orders_that_another_run_cancelled_cost_no_budget
    an_order_cancelled_at_another_endpoint_is_not_cancelled
    what_a_code_was_taken_to_mean_in_another_run_is_no_fact_about_the_order
    an_order_in_doubt_from_another_run_is_sent_in_doubt
    an_order_in_doubt_from_another_run_is_sent_in_doubt_though_it_is_sent_again_on_purpose
    an_order_in_doubt_from_another_run_stays_so_though_it_is_not_sent
    an_order_that_is_cancelled_leaves_no_doubt
    a_doubt_of_a_results_file_is_one_of_the_order
    an_answer_lost_in_another_run_leaves_doubt_in_rows_carried_over
    an_order_in_doubt_at_another_endpoint_is_not_in_doubt
    an_order_that_a_living_process_has_in_flight_for_another_run_is_left_for_later
    an_order_left_for_later_was_never_sent
    an_order_that_a_dead_process_had_in_flight_for_another_run_is_sent_in_doubt
    a_process_has_nothing_in_flight_for_a_run_that_it_left
    what_other_runs_know_of_the_orders_of_a_file_is_counted
    a_few_orders_are_found_among_many
    what_is_known_of_a_few_orders_among_many_is_counted
    of_a_file_of_more_orders_than_other_runs_have_each_known_one_is_counted_once
    of_a_run_that_goes_on_only_rows_that_have_not_ended_are_counted
    processes_share_one_budget
    slots_that_were_not_used_are_given_back
    what_the_server_asked_one_process_holds_for_all
    a_budget_that_cannot_be_read_is_not_taken_for_empty
    slots_for_which_there_is_no_row_are_given_back
    a_run_that_was_stopped_records_why_and_resumes
    a_run_that_ended_was_not_stopped
    a_run_is_held_while_it_is_worked_on
    a_results_file_is_known_by_its_mark
    the_open_rows_of_a_run_are_read_without_the_others
    the_recorded_rows_of_orders_are_returned_for_each_in_turn
    evidence_is_recorded_as_a_run_that_has_finished
    an_order_that_evidence_shows_to_be_cancelled_is_not_sent
    an_order_that_evidence_shows_to_be_cancelled_is_sent_if_that_is_asked_for
    evidence_at_another_endpoint_says_nothing_here
    if_an_order_was_sent_meanwhile_no_evidence_is_recorded
    how_orders_stand_is_known_over_all_runs
    a_call_in_flight_keeps_its_order_until_it_is_known_what_it_came_to
    a_second_record_of_the_same_evidence_is_the_first_one
    many_orders_that_evidence_shows_to_be_cancelled_are_known
    a_seal_that_does_not_cover_the_last_start_is_not_appended
    a_call_that_a_dead_process_left_in_flight_belongs_to_no_seal
    a_run_that_is_started_again_while_it_is_exported_is_refused
    the_history_of_an_order_has_each_of_its_rows_in_every_run_with_their_attempts
    the_first_receipt_of_a_seal_stays
    a_request_is_for_the_processes_that_started_before_it
    the_last_pace_of_a_run_holds_for_every_later_start
}
