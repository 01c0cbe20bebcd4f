//! Whether a system can be worked with: reach, credentials, drift and privileges. No effect.

use crate::order::Order;
use crate::receipt::{Fault, Health};
use crate::sql::SqlConnector;
use crate::sql::catalogue::Catalogue;
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::drift;
use crate::sql::fragment::Fragment;
use crate::sql::scene::Scene;

/// Looks at everything that an attempt needs.
pub(crate) async fn check(connector: &SqlConnector, order: &Order) -> Result<Health, Fault> {
    let mut session = connector.target.open(&order.pace).await?;
    let scene = Scene::new(session.dialect(), order, Catalogue::read(&mut session).await?);
    let missing = match session.dialect() {
        Dialect::Postgres => postgres(&mut session, &scene, &connector.progress_table).await?,
        Dialect::MariaDb => mariadb(&mut session, &scene).await?,
        Dialect::Sqlite => Vec::new(),
    };
    session.close().await;
    Ok(Health {
        product: scene.catalogue.product.clone(),
        drift: drift::find(&scene),
        missing_privileges: missing,
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
    if scene.catalogue.find(progress_table).is_none() {
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
    Ok(missing)
}

/// Grants to the user itself; those that come by a role are not seen, so only a user that has no
/// privilege of its own on any of the tables is reported.
async fn mariadb(session: &mut Session, scene: &Scene<'_>) -> Result<Vec<String>, Fault> {
    let mut missing = Vec::new();
    for position in 0..scene.order.instructions.len() {
        let Some(table) = scene.table_position(position) else { continue };
        let one = scene.instruction(position);
        let quoted = scene.table(table).quoted(scene.dialect)?;
        // Explaining a statement needs the privilege of the statement and changes nothing.
        let wanted: &[&str] = if one.keep { &["SELECT"] } else { &["SELECT", "DELETE"] };
        for privilege in wanted {
            let statement = match *privilege {
                "SELECT" => format!("SELECT 1 FROM {quoted} WHERE 1 = 0"),
                _ => format!("EXPLAIN DELETE FROM {quoted} WHERE 1 = 0"),
            };
            match session.fetch(&Fragment::raw(statement)).await {
                Ok(_) => {}
                Err(Fault::Misconfigured { .. }) => {
                    missing.push(format!("`{}`: grant {privilege} on {quoted}", one.collection));
                }
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(missing)
}
