//! What evidence decides in a results file, and what stays as it is. The ledger is the truth: only
//! an order that is in doubt there is decided, or one that no run at the address has on record and
//! that is in doubt by the file.

use std::collections::BTreeMap;

use super::ended_since::ended_since;
use crate::commands::run::state::Context;
use crate::input::{
    Disposition, Evidence, EvidenceKind, InputSummary, OrderKey, Role, Settlement, SettlementCause,
    settled_rows, to_send_of,
};
use crate::ledger::{Ledger, OrderStanding, Run};
use crate::model::{Counts, Order, RowNumber};
use crate::output::plural;

/// How many orders are looked up at a time.
const ORDERS_AT_ONCE: usize = 1000;

/// What evidence decides, and what stays.
#[derive(Default)]
pub struct ResolutionPlan {
    /// The rows that are decided, and those whose doubts have ended since the file was written, sorted
    /// by row.
    pub settlements: Vec<Settlement>,
    /// The orders that are decided, sorted.
    pub decided: Vec<Order>,
    /// The rows that stand for their orders, sorted by order: those that are decided, and those that
    /// stay in doubt.
    pub on_record: Vec<OrderKey>,
    /// Orders that stay in doubt and that no run at the address has on record, sorted.
    pub doubts: Vec<Order>,
    /// The orders that are decided though no run at the address has them on record, sorted.
    by_file: Vec<Order>,
    /// The last run that wrote the file, if it is known.
    file_run: Option<Run>,
    /// What stays.
    left: Left,
}

/// The orders that stay as they are.
#[derive(Default)]
struct Left {
    /// In doubt, and in no list.
    in_no_list: u64,
    /// In a list, and not in doubt here.
    not_in_doubt: u64,
    /// In doubt by the file alone, since their doubts have ended.
    ended_since: u64,
    /// In flight in these runs.
    in_flight: BTreeMap<String, u64>,
    /// In flight in these runs when their processes died.
    interrupted: BTreeMap<String, u64>,
    /// Sent after the file was written, in these runs.
    sent_since: BTreeMap<String, u64>,
}

/// Whether an order can be decided, and if not, why not.
enum Judgement<'s> {
    /// It is in doubt.
    Decide,
    /// It is not in doubt.
    NotInDoubt,
    /// It is known to be cancelled.
    Cancelled,
    /// A run has it in flight.
    InFlight(&'s str),
    /// A run had it in flight when its process died.
    Interrupted(&'s str),
    /// A run has sent it since the file was written.
    SentSince(&'s str),
}

/// An order of the file that stands in a list or is in doubt.
struct Candidate {
    /// The row that stands for it.
    keyed: OrderKey,
    /// The list, and the row of it.
    evidence: Option<(EvidenceKind, RowNumber)>,
    /// Whether it is in doubt by the file.
    is_in_doubt: bool,
    /// Whether its row can be decided: no other row of the file shows that it is cancelled.
    can_be_decided: bool,
}

impl ResolutionPlan {
    /// Compares the file and the evidence with the ledger.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn read(
        context: &Context,
        summary: &InputSummary,
        evidence: &[Evidence],
        file_run: Option<&Run>,
        ledger: &mut dyn Ledger,
    ) -> anyhow::Result<ResolutionPlan> {
        let mut planned =
            ResolutionPlan { file_run: file_run.cloned(), ..ResolutionPlan::default() };
        let mut listed = 0;
        let mut batch = Vec::new();
        for group in summary.orders.chunk_by(OrderKey::same_order) {
            let Some(candidate) = candidate(group, evidence) else { continue };
            listed += u64::from(candidate.evidence.is_some());
            batch.push(candidate);
            if batch.len() == ORDERS_AT_ONCE {
                planned.add(&mut batch, &context.target.name, ledger)?;
            }
        }
        planned.add(&mut batch, &context.target.name, ledger)?;
        let in_lists: u64 = evidence.iter().map(|list| list.len() as u64).sum();
        planned.left.not_in_doubt += in_lists.saturating_sub(listed);
        planned.settlements.sort_unstable_by_key(|settlement| settlement.row);
        Ok(planned)
    }

    /// Judges the candidates, and empties the batch.
    fn add(
        &mut self,
        batch: &mut Vec<Candidate>,
        endpoint: &str,
        ledger: &mut dyn Ledger,
    ) -> anyhow::Result<()> {
        let orders: Vec<Order> = batch.iter().map(|candidate| candidate.keyed.order()).collect();
        let standings = ledger.standings(endpoint, &orders)?;
        let file_run = self.file_run.clone();
        for (candidate, standing) in batch.drain(..).zip(&standings) {
            let judgement = judge(standing, candidate.is_in_doubt, file_run.as_ref());
            if self.may_have_ended_since(&candidate, &judgement)
                && let Some(ended) = ended_since(candidate.keyed.order(), endpoint, ledger)?
            {
                self.left.ended_since += 1;
                let (row, cause) = (candidate.keyed.row(), SettlementCause::Record(ended.into()));
                self.settlements.push(Settlement { row, cause });
            } else {
                self.add_one(&candidate, standing, judgement);
            }
        }
        Ok(())
    }

    /// Whether an order is in doubt by the file alone, since its doubt has ended. A file that no run
    /// here wrote may know of a doubt that the ledger never had.
    fn may_have_ended_since(&self, candidate: &Candidate, judgement: &Judgement<'_>) -> bool {
        let has_ended = match judgement {
            Judgement::Cancelled => true,
            Judgement::NotInDoubt => self.file_run.is_some(),
            _ => false,
        };
        has_ended && candidate.is_in_doubt && candidate.can_be_decided
    }

    fn add_one(
        &mut self,
        candidate: &Candidate,
        standing: &OrderStanding,
        judgement: Judgement<'_>,
    ) {
        let Candidate { keyed, evidence, can_be_decided, .. } = candidate;
        let order = keyed.order();
        let evidence = evidence.filter(|_| *can_be_decided);
        let Some((kind, evidence_row)) = evidence else {
            self.stays(candidate, standing, &judgement);
            return;
        };
        let count = |runs: &mut BTreeMap<String, u64>, run: &str| {
            *runs.entry(run.to_owned()).or_default() += 1;
        };
        match judgement {
            Judgement::Decide => {
                let cause = SettlementCause::Evidence { kind, row: evidence_row };
                self.settlements.push(Settlement { row: keyed.row(), cause });
                self.decided.push(order);
                self.on_record.push(*keyed);
                if !standing.is_in_doubt {
                    self.by_file.push(order);
                }
                return;
            }
            Judgement::NotInDoubt | Judgement::Cancelled => self.left.not_in_doubt += 1,
            Judgement::InFlight(run) => count(&mut self.left.in_flight, run),
            Judgement::Interrupted(run) => count(&mut self.left.interrupted, run),
            Judgement::SentSince(run) => count(&mut self.left.sent_since, run),
        }
        self.keep(candidate, standing);
    }

    /// The order stands in no list, or its row cannot be decided.
    fn stays(
        &mut self,
        candidate: &Candidate,
        standing: &OrderStanding,
        judgement: &Judgement<'_>,
    ) {
        match (candidate.evidence, judgement) {
            (Some(_), _) => self.left.not_in_doubt += 1,
            (None, Judgement::Cancelled | Judgement::NotInDoubt) => {}
            (None, _) => self.left.in_no_list += 1,
        }
        self.keep(candidate, standing);
    }

    /// A doubt of the file outlives this run, unless the ledger knows better.
    fn keep(&mut self, candidate: &Candidate, standing: &OrderStanding) {
        if candidate.is_in_doubt {
            self.on_record.push(candidate.keyed);
            if !standing.is_on_record {
                self.doubts.push(candidate.keyed.order());
            }
        }
    }

    /// Whether an order that is decided still stands so that it can be.
    pub fn can_be_decided(&self, order: Order, standing: &OrderStanding) -> bool {
        let by_file = self.by_file.binary_search(&order).is_ok();
        matches!(judge(standing, by_file, self.file_run.as_ref()), Judgement::Decide)
    }

    /// How many orders a list decides.
    pub fn decided_by(&self, kind: EvidenceKind) -> u64 {
        let by_it = |settlement: &&Settlement| matches!(settlement.cause, SettlementCause::Evidence { kind: its, .. } if its == kind);
        self.settlements.iter().filter(by_it).count() as u64
    }

    /// The rows of the file by status, as they stand if evidence decides none.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn counts(&self, context: &Context, summary: &InputSummary) -> anyhow::Result<Counts> {
        let mut counts = Counts::default();
        let input = &context.input;
        let Some(plan) = &input.plan else { return Ok(counts) };
        let describe = |_: EvidenceKind, _: RowNumber| String::new();
        let (file, columns, settlements) = (&input.input, &input.columns, &self.settlements);
        for planned in settled_rows(file, columns, summary, plan, settlements, &describe)? {
            match planned?.disposition {
                Disposition::Kept { status, doubt } => counts.add_row(status, doubt),
                Disposition::EndedSince(ended) => counts.add_row(ended.status, false),
                _ => {}
            }
        }
        Ok(counts)
    }

    /// What stays as it is, and what to do about it, as sentences without a point.
    pub fn remarks(&self) -> Vec<String> {
        let Left { in_no_list, not_in_doubt, ended_since, in_flight, interrupted, sent_since } =
            &self.left;
        let mut remarks = Vec::new();
        let mut add = |number: u64, one: &str, many: &str| {
            if number > 0 {
                remarks.push(plural(number, one, many));
            }
        };
        add(
            *in_no_list,
            "order in doubt is in no list, and stays in doubt",
            "orders in doubt are in no list, and stay in doubt",
        );
        add(
            *not_in_doubt,
            "order of the lists is not in doubt here: nothing is done for it",
            "orders of the lists are not in doubt here: nothing is done for them",
        );
        add(
            *ended_since,
            "order that was in doubt in this file has been decided since, by a later run or by evidence",
            "orders that were in doubt in this file have been decided since, by later runs or by evidence",
        );
        let of_runs = [
            (
                in_flight,
                [
                    "order of the lists is in flight in run",
                    "orders of the lists are in flight in run",
                ],
                ": wait until it has ended, then start the same command again",
            ),
            (
                interrupted,
                [
                    "order of the lists was in flight in run",
                    "orders of the lists were in flight in run",
                ],
                " when its process died: start that run again first, then this command",
            ),
            (
                sent_since,
                [
                    "order of the lists was sent later by run",
                    "orders of the lists were sent later by run",
                ],
                ": resolve its results, or --open",
            ),
        ];
        for (runs, [one, many], what_to_do) in of_runs {
            let remark = |(run, number): (&String, &u64)| {
                format!("{} {run}{what_to_do}", plural(*number, one, many))
            };
            remarks.extend(runs.iter().map(remark));
        }
        remarks
    }
}

/// An order of the file that stands in a list or is in doubt by the file.
fn candidate(group: &[OrderKey], evidence: &[Evidence]) -> Option<Candidate> {
    let first = group.first()?;
    let in_list = evidence.iter().find_map(|list| Some((list.kind, list.row_of(first.order())?)));
    let in_doubt =
        |keyed: &&OrderKey| matches!(keyed.role(), Role::SentInDoubt | Role::KeptInDoubt);
    let doubtful = group.iter().find(in_doubt);
    let decides = to_send_of(group);
    if in_list.is_none() && doubtful.is_none() {
        return None;
    }
    Some(Candidate {
        keyed: decides.or(doubtful.copied()).unwrap_or(*first),
        evidence: in_list,
        is_in_doubt: doubtful.is_some(),
        can_be_decided: decides.is_some(),
    })
}

fn judge<'s>(
    standing: &'s OrderStanding,
    is_in_doubt_by_file: bool,
    file_run: Option<&Run>,
) -> Judgement<'s> {
    if standing.is_cancelled {
        return Judgement::Cancelled;
    }
    match &standing.in_flight {
        Some(call) if call.is_worked_on => return Judgement::InFlight(&call.run),
        Some(call) => return Judgement::Interrupted(&call.run),
        None => {}
    }
    let is_in_doubt = standing.is_in_doubt || (is_in_doubt_by_file && !standing.is_on_record);
    if !is_in_doubt {
        return Judgement::NotInDoubt;
    }
    match file_run.and_then(|run| standing.sent_after(run)) {
        Some(run) => Judgement::SentSince(run),
        None => Judgement::Decide,
    }
}
