//! Records that questions describe, with the values of some fields: reading only.
//!
//! One statement a question. Alternatives become branches of one `UNION ALL`, so that each finds
//! its records through the index of its own field instead of reading the whole table.

use std::collections::HashSet;

use crate::order::{Instruction, MappedField, Order, Probe};
use crate::predicate::{FieldRef, Predicate};
use crate::receipt::Fault;
use crate::sql::SqlConnector;
use crate::sql::catalogue::Catalogue;
use crate::sql::compile::Compiler;
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::inspect::{read, value};
use crate::sql::lists;
use crate::sql::lists::read_throughout;
use crate::sql::scene::Scene;
use crate::subject::{Answer, Question};
use crate::value::Record;

/// No question reads more records than this.
const MOST_RECORDS: u32 = 100_000;

/// Asks every question.
pub(crate) async fn resolve(
    connector: &SqlConnector,
    order: &Order,
    questions: &[Question],
) -> Result<Vec<Answer>, Fault> {
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let order = harmless(order, questions);
    let mut session = connector.target.open(&order.pace).await?;
    let answers = ask_all(&mut session, &order, questions).await;
    session.close().await;
    answers
}

async fn ask_all(
    session: &mut Session,
    order: &Order,
    questions: &[Question],
) -> Result<Vec<Answer>, Fault> {
    let scene = Scene::new(session.dialect(), order, Catalogue::read(session).await?);
    // Lists go into temporary tables; from then on nothing can be written.
    lists::load(session, &scene).await?;
    for field in read_throughout(&scene)? {
        tracing::warn!("a person is looked for by reading a whole collection: {field}");
    }
    session
        .command(match session.dialect() {
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Dialect::MariaDb => "START TRANSACTION READ ONLY",
            Dialect::Sqlite => "PRAGMA query_only = ON",
        })
        .await?;
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        answers.push(ask(session, &scene, question).await?);
    }
    if session.dialect() != Dialect::Sqlite {
        session.rollback().await?;
    }
    Ok(answers)
}

/// The order's collections and lists, with nothing to do and with the predicates of the questions
/// as probes, so that their lists are known.
fn harmless(order: &Order, questions: &[Question]) -> Order {
    let bare = |one: &Instruction| {
        let own = questions.iter().filter(|question| question.collection == one.collection);
        let probe = |question: &Question| Probe {
            name: String::new(),
            predicate: question.predicate.clone(),
        };
        Instruction {
            treatments: Vec::new(),
            delete_when: Predicate::Never,
            restrict_when: Predicate::Never,
            lift_when: Predicate::Never,
            held: Predicate::Never,
            of_persons: None,
            probes: own.map(probe).collect(),
            ..one.clone()
        }
    };
    Order { instructions: order.instructions.iter().map(bare).collect(), ..order.clone() }
}

type Columns = Vec<(String, MappedField, bool)>;

async fn ask(
    session: &mut Session,
    scene: &Scene<'_>,
    question: &Question,
) -> Result<Answer, Fault> {
    let most = usize::try_from(question.most.clamp(1, MOST_RECORDS)).unwrap_or(usize::MAX);
    let (columns, branches) = branches(scene, question, most)?;
    let mut answer =
        Answer { collection: question.collection.clone(), records: Vec::new(), more: false };
    if branches.is_empty() {
        return Ok(answer);
    }
    let alternatives = branches.len();
    let statement = Fragment::join(branches, " UNION ALL ");
    let rows = session.fetch(&statement).await?;
    // A branch that was cut off may have left out what another does not have.
    let full = rows.len() > most && (alternatives == 1 || cut_off(&rows, most));
    let asked = question.fields.len();
    let mut seen = HashSet::new();
    for row in rows {
        // The last column numbers the branch; the rest identifies the record by its key.
        let Some((_, cells)) = row.split_last() else { continue };
        if !seen.insert(identity(cells)) {
            continue;
        }
        if answer.records.len() == most {
            answer.more = true;
            break;
        }
        let mut record = Record::new();
        for ((name, mapped, bytes), cell) in columns.iter().zip(cells).take(asked) {
            record.insert(name.clone(), value(mapped, *bytes, cell)?);
        }
        answer.records.push(record);
    }
    answer.more |= full;
    Ok(answer)
}

/// Some branch answered with as many records as it may.
fn cut_off(rows: &[Vec<Cell>], most: usize) -> bool {
    let mut counts = std::collections::BTreeMap::<u64, usize>::new();
    for branch in rows.iter().filter_map(|row| row.last()) {
        *counts.entry(branch.count()).or_default() += 1;
    }
    counts.values().any(|count| *count > most)
}

/// The cells in a form that tells equal records from different ones.
fn identity(cells: &[Cell]) -> Vec<Option<Vec<u8>>> {
    let bytes = |cell: &Cell| match cell {
        Cell::Null => None,
        Cell::Bytes(bytes) => Some(bytes.clone()),
        other => Some(other.text().into_bytes()),
    };
    cells.iter().map(bytes).collect()
}

/// One `SELECT` for each alternative of the predicate, and what its columns are.
fn branches(
    scene: &Scene<'_>,
    question: &Question,
    most: usize,
) -> Result<(Columns, Vec<Fragment>), Fault> {
    let collection = &question.collection;
    let position = scene
        .instruction_of(collection)
        .ok_or_else(|| misconfigured(format!("the order has no collection `{collection}`")))?;
    let mut fields = question.fields.clone();
    fields.extend(scene.instruction(position).key.iter().map(|name| FieldRef::own(name.as_str())));
    let alternatives: &[Predicate] = match &question.predicate {
        Predicate::Any(parts) => parts,
        Predicate::Never => &[],
        one => std::slice::from_ref(one),
    };
    let compiler = Compiler::new(scene);
    let mut columns = Columns::new();
    let mut branches = Vec::new();
    for (number, alternative) in alternatives.iter().enumerate() {
        let (from, place) = compiler.main(scene.table_of(position)?, Some(position))?;
        let mut selected = Vec::new();
        columns.clear();
        for (index, field) in fields.iter().enumerate() {
            let (text, mapped, bytes) = read(&compiler, &place, &field.via, &field.field)?;
            selected.push(format!("{text} AS q{index}"));
            let mut name = field.via.join(".");
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(&field.field);
            columns.push((name, mapped, bytes));
        }
        let head = format!(
            "SELECT * FROM (SELECT {}, {number} AS quietus_branch FROM {from} WHERE ",
            selected.join(", ")
        );
        let tail = format!(" LIMIT {}) AS quietus_answer_{number}", most.saturating_add(1));
        branches.push(compiler.holds(&place, alternative)?.within(&head, &tail));
    }
    Ok((columns, branches))
}
