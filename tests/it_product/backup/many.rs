//! Many persons at one store: one listing serves all of them.

use super::{VAULT, company, live, looks, people};
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;

const PEOPLE: i64 = 12;

/// A tool in the place of restic that notes each time it is asked.
fn write_tool(company: &crate::company::Company, snapshots: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = company.path("restic");
    let calls = company.path("calls");
    let ids = company.path("ids");
    let json = company.path("snapshots");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n\
         *list\\ snapshots*) cat {ids} ;;\n\
         *stats*) echo '{{\"snapshots_count\": {count}}}' ;;\n\
         *list*) ;;\n\
         *snapshots*) echo listed >>{calls}; cat {json} ;;\n\
         *) echo restic 0.14.0 ;;\nesac\n",
        ids = ids.display(),
        calls = calls.display(),
        json = json.display(),
        count = snapshots.split_whitespace().count(),
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut ids_text = String::new();
    let mut all = Vec::new();
    for (number, time) in snapshots.split_whitespace().enumerate() {
        let id = format!("{number:064x}");
        ids_text.extend([id.as_str(), "\n"]);
        all.push(
            serde_json::json!({"id": id, "time": time, "hostname": "shop", "paths": ["/dump"]}),
        );
    }
    std::fs::write(ids, ids_text).unwrap();
    std::fs::write(json, serde_json::Value::from(all).to_string()).unwrap();
}

fn listings(company: &crate::company::Company) -> usize {
    std::fs::read_to_string(company.path("calls")).unwrap_or_default().lines().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_listing_serves_all_whose_time_has_come() {
    let company = company(Kind::Sqlite).await;
    let program = company.path("restic").display().to_string();
    let vault = VAULT.replace("kind: dumps", "kind: restic").replace(
        "files: 'shop-%Y-%m-%d.sql'",
        &format!("password: file:secrets/restic, program: '{program}'"),
    );
    company.write("systems/vault.yaml", &vault);
    company.write_secret("restic", "invented");
    let rows: Vec<String> = (0..PEOPLE)
        .map(|n| {
            let id = 1000 + n;
            format!("({id}, 'p{id}@mail.example', 'Invented {id}', '2024-01-01T00:00:00Z', NULL)")
        })
        .collect();
    let insert = format!("INSERT INTO customers VALUES {}", rows.join(", "));
    company.database("shop").run(&insert).await;
    for n in 0..PEOPLE {
        let identity = format!("email=p{}@mail.example\n", 1000 + n);
        people::brought(&company, "erasure", &identity).await;
    }
    write_tool(&company, "2027-01-03T02:00:00Z 2027-01-04T02:00:00Z");
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    for _ in 0..3 {
        live(&product).await;
    }
    let certificates = company.count_of("certificates").await;
    assert_eq!(certificates, usize::try_from(PEOPLE).unwrap());
    assert_eq!(looks(&company).await.len(), certificates);
    assert_eq!(listings(&company), 1, "certificates rest on one listing");

    write_tool(&company, "2027-01-05T02:00:00Z 2027-01-06T02:00:00Z 2027-01-07T02:00:00Z");
    clock.set("2027-01-07T12:00:00Z");
    for _ in 0..3 {
        live(&product).await;
    }
    assert!(looks(&company).await.iter().all(|one| one == "completed -"));
    assert_eq!(listings(&company), 2, "and so do all looks");
    let complete = "SELECT CAST(COUNT(*) AS TEXT) FROM certificates \
                    WHERE overall = 'complete' AND superseded_by IS NULL";
    assert_eq!(company.store_rows(complete).await, [certificates.to_string()]);
    company.check_log().await;
}
