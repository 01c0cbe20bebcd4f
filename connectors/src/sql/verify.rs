//! Looking again, over another connection and by another query than the one that changed things.
//!
//! `execute` looks for what is due; this counts everything and takes away what is rightly there:
//! not due, held, or referred to. What is left over are survivors.

use crate::order::{Order, Restriction};
use crate::predicate::Predicate;
use crate::receipt::{Drift, Fault, LookedAt, Survivor, Verification};
use crate::sql::SqlConnector;
use crate::sql::catalogue::Catalogue;
use crate::sql::compile::{Compiler, Place};
use crate::sql::connection::Session;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::Fragment;
use crate::sql::restrict::{self, Way};
use crate::sql::scene::Scene;
use crate::sql::treat;
use crate::sql::{drift, gathered_keys, lists};

/// The name under which records that should be restricted and are not are reported.
const RESTRICTION: &str = "restriction";

const METHOD: &str = "over a new connection, every collection was counted in full, and from the \
    total were taken the records that are not due (by the negated condition), those that are held, \
    and those that other records still refer to; what was left over is reported";

/// Looks for survivors.
pub(crate) async fn verify(connector: &SqlConnector, order: &Order) -> Result<Verification, Fault> {
    let mut session = connector.target.open(&order.pace).await?;
    let scene = Scene::new(session.dialect(), order, Catalogue::read(&mut session).await?);
    let answer = look(&mut session, &scene).await;
    session.close().await;
    answer
}

async fn look(session: &mut Session, scene: &Scene<'_>) -> Result<Verification, Fault> {
    let gone: Vec<String> = drift::find(scene)
        .iter()
        .filter(|one| !matches!(one, Drift::FieldUnmapped { .. } | Drift::KeyChanged { .. }))
        .map(ToString::to_string)
        .collect();
    if !gone.is_empty() {
        return Err(misconfigured(format!(
            "the system differs from the data map and cannot be verified: {}",
            gone.join("; ")
        )));
    }
    lists::load(session, scene).await?;
    let mut verification = Verification { method: METHOD.to_owned(), ..Verification::default() };
    for position in 0..scene.order.instructions.len() {
        let collection = &scene.instruction(position).collection;
        let (categories, statement) = statement(scene, position)?;
        gathered_keys::gather(session, scene, scene.table_of(position)?).await?;
        let row = session.fetch_one(&statement).await?;
        let total = row[0].count();
        verification.left.insert(collection.clone(), total);
        for (category, rightly) in categories.into_iter().zip(&row[1..]) {
            let looked_at = LookedAt { collection: collection.clone(), category: category.clone() };
            // Several treatments of one category are one answer.
            if !verification.looked_at.contains(&looked_at) {
                verification.looked_at.push(looked_at);
            }
            let records = total.saturating_sub(rightly.count());
            if records > 0 {
                verification.survivors.push(Survivor {
                    collection: collection.clone(),
                    category,
                    records,
                });
            }
        }
    }
    Ok(verification)
}

/// Counts of all records, and of those that are rightly there by what should have become of them.
fn statement(scene: &Scene<'_>, position: usize) -> Result<(Vec<Option<String>>, Fragment), Fault> {
    let one = scene.instruction(position);
    let compiler = Compiler::new(scene);
    let (from, place) = compiler.main(scene.table_of(position)?, Some(position))?;
    let mut categories = Vec::new();
    let mut columns = vec![Fragment::raw("COUNT(*)")];
    let mut add = |category: Option<String>, rightly: Vec<Fragment>| {
        categories.push(category);
        columns.push(scene.dialect.count_where(Fragment::any(rightly)));
    };
    if !one.keep {
        if one.delete_when != Predicate::Never {
            let mut rightly = not_due(&compiler, &place, &one.delete_when, &one.held)?;
            for blocker in scene.blockers(place.table) {
                rightly.push(compiler.referred(&place, &blocker)?);
            }
            add(None, rightly);
        }
        for treatment in one.treatments.iter().filter(|one| !one.fields.is_empty()) {
            let mut rightly = not_due(&compiler, &place, &treatment.due, &one.held)?;
            rightly.push(treat::pending(&compiler, &place, treatment)?.negate());
            add(Some(treatment.category.clone()), rightly);
        }
        if one.restriction.is_some() && one.restrict_when != Predicate::Never {
            let wanted =
                Predicate::all([one.restrict_when.clone(), one.lift_when.clone().negate()]);
            let mut rightly = not_due(&compiler, &place, &wanted, &one.held)?;
            let pending = restrict::due(&compiler, &place, position, Way::Restrict)?;
            rightly.push(Fragment::all(pending).negate());
            if matches!(one.restriction, Some(Restriction::Move { .. })) {
                for blocker in scene.blockers(place.table) {
                    rightly.push(compiler.referred(&place, &blocker)?);
                }
            }
            add(Some(RESTRICTION.to_owned()), rightly);
        }
    }
    let statement = Fragment::join(columns, ", ").within("SELECT ", &format!(" FROM {from}"));
    Ok((categories, statement))
}

fn not_due(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    due: &Predicate,
    held: &Predicate,
) -> Result<Vec<Fragment>, Fault> {
    let mut rightly = vec![compiler.fails(place, due)?];
    if *held != Predicate::Never {
        rightly.push(compiler.held(place, held)?);
    }
    Ok(rightly)
}
