//! The copy of a certificate that its person receives: who may fetch it, what proves whom it is
//! about, and that each handing out is on record.

use quietus::domain::Digest;
use serde_json::{Value, json};

use super::house::House;

/// Anna is erased; the certificate about her.
async fn anna_erased(house: &House) -> String {
    let body = json!({
        "right": "erasure",
        "identities": [{"type": "email", "value": "anna@mail.example"}],
        "identity_check": {"assurance": "substantial", "method": "login"},
    });
    let brought = house.post("operator", "/v1/requests", &body).await.expect(201).json();
    let id = brought["id"].as_str().unwrap().to_owned();
    house.carry_on().await;
    let page = house.get("operator", &format!("/v1/requests/{id}")).await.expect(200).json();
    page["certificate"].as_str().unwrap().to_owned()
}

/// What evidence says of handing copies out.
async fn handed_out(house: &House, certificate: &str) -> Vec<Value> {
    let id = uuid::Uuid::parse_str(certificate).unwrap();
    let case = house.product.store.certificate(id).await.unwrap().unwrap().summary.case_id;
    let details = house.product.store.details_of_case(case).await.unwrap();
    let texts = details.iter().filter_map(|one| house.product.open_detail(one).unwrap());
    let entries = texts.map(|text| serde_json::from_str::<Value>(&text).unwrap());
    let of = |entry: &Value| entry.to_string().contains("copy of a certificate was handed out");
    entries.filter(of).collect()
}

#[tokio::test]
async fn the_persons_copy_shows_whom_it_is_about_and_no_auditor_gets_it() {
    let house = House::open().await;
    let certificate = anna_erased(&house).await;
    let folder = format!("/v1/certificates/{certificate}/export-for-person");
    let listed = house.get("operator", &folder).await.expect(200).json();
    let files = listed["files"].as_array().unwrap();
    let opening = files.iter().find(|one| one["name"] == "subject-opening.json").unwrap();
    assert_eq!(opening["address"], format!("{folder}/subject-opening.json"));
    assert!(handed_out(&house, &certificate).await.is_empty(), "a list hands nothing out");

    for role in ["operator", "approver"] {
        let address = opening["address"].as_str().unwrap();
        let file = house.get_for_person(role, address).await;
        assert_eq!(file.status.as_u16(), 200);
        let statement = format!("/v1/certificates/{certificate}/statement");
        let signed = house.get("auditor", &statement).await.expect(200).json();
        let digest = Digest::of(&file.body).to_string();
        assert_eq!(signed["subject"][0]["digest"]["sha256"], digest.as_str());
        assert_eq!(
            file.json()["identifiers"],
            json!([{"type": "email", "value": "anna@mail.example"}])
        );
        let words = house.get(role, &format!("{folder}/VERIFY.txt")).await.expect(200).text();
        assert!(words.contains("WHOM IT IS ABOUT") && words.contains(&digest), "{words}");
    }
    let on_record = handed_out(&house, &certificate).await;
    assert_eq!(on_record.len(), 4, "{on_record:#?}");
    assert!(on_record.iter().all(|one| !one.to_string().contains("mail.example")));
    assert!(on_record.iter().any(|one| one.to_string().contains("second-person")));

    for role in ["auditor", "author", "event-source"] {
        house.get(role, &folder).await.expect(403);
        house.get(role, &format!("{folder}/subject-opening.json")).await.expect(403);
    }
    let plain = format!("/v1/certificates/{certificate}/export");
    let listed = house.get("auditor", &plain).await.expect(200).text();
    assert!(!listed.contains("subject-opening.json"), "{listed}");
    house.get("auditor", &format!("{plain}/subject-opening.json")).await.expect(404);
    house.get("operator", &format!("{folder}/quietus.db")).await.expect(404);
    assert_eq!(handed_out(&house, &certificate).await.len(), 4, "what is not there is no copy");
    house.nothing_leaked();
}

#[tokio::test]
async fn a_certificate_about_counts_has_no_persons_copy() {
    let house = House::open().await;
    let (_, certificate) = house.certified().await;
    let folder = format!("/v1/certificates/{certificate}/export-for-person");
    let refused = house.get("operator", &folder).await.expect(409).json();
    assert!(refused["error"].as_str().unwrap().contains("is about no person"), "{refused}");
    house.get("operator", &format!("{folder}/manifest.json")).await.expect(409);
    house.nothing_leaked();
}
