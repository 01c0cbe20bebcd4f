//! Whether a system can be worked with: reach, credentials, drift and privileges. No effect.

use crate::order::{Order, Restriction};
use crate::receipt::{Fault, Health};
use crate::sql::SqlConnector;
use crate::sql::catalogue::Catalogue;
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::drift;
use crate::sql::faults::answered;
use crate::sql::fragment::Fragment;
use crate::sql::lists::read_throughout;
use crate::sql::order_of_deletion::groups;
use crate::sql::scene::Scene;
use crate::sql::unseen_references;

/// Looks at everything that an attempt needs.
pub(crate) async fn check(connector: &SqlConnector, order: &Order) -> Result<Health, Fault> {
    let mut session = connector.target.open(&order.pace).await?;
    // Asked once more by other means than when it was opened.
    connector.target.refuse_lent(&mut session).await?;
    let scene = Scene::new(session.dialect(), order, Catalogue::read(&mut session).await?);
    let missing = match session.dialect() {
        Dialect::Postgres => postgres(&mut session, &scene, &connector.progress_table).await?,
        Dialect::MariaDb => mariadb(&mut session, &scene).await?,
        Dialect::Sqlite => Vec::new(),
    };
    session.close().await;
    let drift = drift::find(&scene);
    // Where a field is missing, that is what has to be mended first.
    let read_throughout = if drift.is_empty() { read_throughout(&scene)? } else { Vec::new() };
    Ok(Health {
        product: scene.catalogue.product.clone(),
        drift,
        missing_privileges: missing,
        not_shown: unseen_references::not_shown(&scene).into_iter().collect(),
        read_throughout,
    })
}

async fn postgres(
    session: &mut Session,
    scene: &Scene<'_>,
    progress_table: &str,
) -> Result<Vec<String>, Fault> {
    let mut missing = Vec::new();
    for position in 0..scene.order.instructions.len() {
        let Some(table) = scene.table_position(position) else { continue };
        let one = scene.instruction(position);
        let quoted = scene.table(table).quoted(scene.dialect)?;
        let wanted: &[&str] = if one.keep { &["SELECT"] } else { &["SELECT", "UPDATE", "DELETE"] };
        for privilege in wanted {
            let statement = Fragment::raw("SELECT has_table_privilege(")
                .and(Fragment::text_value(quoted.as_str()))
                .then(&format!(", '{privilege}')"));
            if !session.fetch_one(&statement).await?[0].truth() {
                missing.push(format!("`{}`: grant {privilege} on {quoted}", one.collection));
            }
        }
    }
    if scene.catalogue.find_own(progress_table).is_none() {
        let schema = progress_table.split_once('.').map(|parts| parts.0);
        let name = match schema {
            Some(schema) => Fragment::text_value(schema),
            None => Fragment::raw("current_schema()"),
        };
        let statement = Fragment::raw("SELECT has_schema_privilege(").and(name).then(", 'CREATE')");
        if !session.fetch_one(&statement).await?[0].truth() {
            missing.push(format!(
                "`{progress_table}`: grant CREATE on its schema, or create the table beforehand"
            ));
        }
    }
    let statement = Fragment::raw(
        "SELECT has_database_privilege(current_database(), 'TEMPORARY'), CAST(current_database() AS text)",
    );
    let row = session.fetch_one(&statement).await?;
    if let Some(why) = needs_temporary_tables(scene).filter(|_| !row[0].truth()) {
        let database = scene.dialect.quote(&row[1].text())?;
        missing.push(format!("{why}: grant TEMPORARY on database {database}"));
    }
    Ok(missing)
}

/// What the order keeps in temporary tables, also where it is only counted or verified.
fn needs_temporary_tables(scene: &Scene<'_>) -> Option<&'static str> {
    let unindexed =
        scene.unindexed.iter().any(|(parent, _)| scene.instruction_for_table(*parent).is_some());
    if !scene.lists.is_empty() {
        Some("lists of keys need temporary tables")
    } else if unindexed {
        Some("references without an index need temporary tables")
    } else if groups(scene).iter().any(|group| group.circular) {
        Some("references in a circle need temporary tables")
    } else {
        None
    }
}

/// Grants to the user itself; those that come by a role are not seen, so only a user that has no
/// privilege of its own on any of the tables is reported.
async fn mariadb(session: &mut Session, scene: &Scene<'_>) -> Result<Vec<String>, Fault> {
    let mut missing = unseen_references::refusals(scene);
    for position in 0..scene.order.instructions.len() {
        let Some(table) = scene.table_position(position) else { continue };
        let one = scene.instruction(position);
        let quoted = scene.table(table).quoted(scene.dialect)?;
        // Explaining a statement needs the privilege of the statement and changes nothing.
        let mut wanted = vec![("SELECT", format!("SELECT 1 FROM {quoted} WHERE 1 = 0"))];
        if !one.keep {
            wanted.push(("DELETE", format!("EXPLAIN DELETE FROM {quoted} WHERE 1 = 0")));
            let written = written(scene, position)?;
            if !written.is_empty() {
                let statement = format!("EXPLAIN UPDATE {quoted} SET {written} WHERE 1 = 0");
                wanted.push(("UPDATE", statement));
            }
        }
        for (privilege, statement) in wanted {
            match session.fetch(&Fragment::raw(statement)).await {
                Ok(_) => {}
                Err(Fault::Misconfigured { .. }) => {
                    missing.push(format!("`{}`: grant {privilege} on {quoted}", one.collection));
                }
                Err(fault) => return Err(fault),
            }
        }
    }
    if let Some(why) = needs_temporary_tables(scene) {
        // Only trying tells; the table is gone with this connection at the latest.
        match session.command("CREATE TEMPORARY TABLE quietus_privilege (one INT)").await {
            Ok(()) => session.command("DROP TEMPORARY TABLE quietus_privilege").await?,
            Err(fault) if answered(&fault, &["1044", "1142", "1227"]) => {
                let row = session.fetch_one(&Fragment::raw("SELECT DATABASE()")).await?;
                let database = scene.dialect.quote(&row[0].text())?;
                missing.push(format!("{why}: grant CREATE TEMPORARY TABLES on {database}.*"));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(missing)
}

/// Assignments of every field that the order may write to itself.
fn written(scene: &Scene<'_>, position: usize) -> Result<String, Fault> {
    let one = scene.instruction(position);
    let treated = one.treatments.iter().flat_map(|treatment| &treatment.fields);
    let mut names: Vec<&str> = treated.map(|treated| treated.field.as_str()).collect();
    if let Some(Restriction::Flag { field }) = &one.restriction {
        names.push(field);
    }
    let table = scene.table(scene.table_of(position)?);
    // What is missing or computed is told as drift or refused by its own name.
    names.retain(|name| table.column(name).is_some_and(|column| !column.generated));
    names.sort_unstable();
    names.dedup();
    let mut assignments = Vec::new();
    for name in names {
        let quoted = scene.dialect.quote(name)?;
        assignments.push(format!("{quoted} = {quoted}"));
    }
    Ok(assignments.join(", "))
}
