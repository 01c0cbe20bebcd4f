//! Data that are back: listed for whoever reads, decided about by whoever decides about requests.

use quietus_connectors::sample;
use serde_json::{Value, json};

use super::house::House;

/// Anna is erased, her address comes back, and the instance has somebody decide.
async fn back(house: &House) -> String {
    let body = json!({"right": "erasure", "identities": [{"type": "email", "value": "anna@mail.example"}]});
    let brought = house.post("operator", "/v1/requests", &body).await.expect(201).json();
    let id = brought["id"].as_str().unwrap();
    let check = json!({"assurance": "substantial", "method": "call-back", "reference": "T-123"});
    house.post("operator", &format!("/v1/requests/{id}/confirm"), &check).await.expect(200);
    house.carry_on().await;
    let import = "INSERT INTO customers VALUES (9, ?, 'Invented Anna', '2025-01-01T00:00:00Z')";
    let crm = house.folder.path().join("data/crm.db");
    sample::change(&crm, import, "anna@mail.example").await.unwrap();
    let looked = house.product.look_for_everybody().await.unwrap();
    assert_eq!((looked.persons, looked.asks), (1, 1));
    let page = house.get("auditor", &format!("/v1/requests/{id}")).await.expect(200).json();
    page["case"]["id"].as_str().unwrap().to_owned()
}

async fn annas(house: &House) -> u64 {
    house.customers("SELECT COUNT(*) FROM customers WHERE email = 'anna@mail.example'").await
}

async fn only(house: &House) -> Value {
    let list = house.get("auditor", "/v1/reappearances").await.expect(200).json();
    assert_eq!(list["reappearances"].as_array().unwrap().len(), 1, "{list:#}");
    list["reappearances"][0].clone()
}

#[tokio::test]
async fn what_is_back_goes_again_once_somebody_has_decided() {
    let house = House::open_with_lines("later_looks: {erase_again: nothing}\n").await;
    let empty = house.get("auditor", "/v1/reappearances").await.expect(200).json();
    assert_eq!((&empty["looks"]["every"], &empty["reappearances"]), (&json!("P7D"), &json!([])));
    let case = back(&house).await;
    let one = only(&house).await;
    assert_eq!((&one["case"], &one["state"]), (&json!(case), &json!("asks")));
    let numbers = house.get("auditor", "/metrics").await.expect(200).text();
    for line in ["quietus_reappeared_total 1", "quietus_reappeared_asking 1"] {
        assert!(numbers.contains(line), "{numbers}");
    }
    let again = format!("/v1/reappearances/{case}/again");
    house.post("approver", &again, &json!({})).await.expect(422);
    house.post("approver", &again, &json!({"reason": "ask anna@mail.example"})).await.expect(422);
    house.post("auditor", &again, &json!({"reason": "OPS-77"})).await.expect(403);
    assert_eq!(annas(&house).await, 1);
    let decided = house.post("approver", &again, &json!({"reason": "OPS-77"})).await;
    assert_eq!(decided.expect(200).json()["systems"], 1);
    house.post("approver", &again, &json!({"reason": "OPS-77"})).await.expect(422);
    house.carry_on().await;
    assert_eq!(annas(&house).await, 0);
    let one = only(&house).await;
    assert_eq!((&one["state"], &one["job"]), (&json!("again"), &json!("completed")));
    let certificate = one["certificate"].as_str().unwrap();
    let shown = house.get("auditor", &format!("/v1/certificates/{certificate}")).await.expect(200);
    assert_eq!(shown.json()["class"], "rights-request");
    house.nothing_leaked();
}

#[tokio::test]
async fn what_is_of_a_new_relationship_stays() {
    let house = House::open_with_lines("later_looks: {erase_again: nothing}\n").await;
    let case = back(&house).await;
    let leave = format!("/v1/reappearances/{case}/leave");
    house.post("operator", &leave, &json!({"reason": "CRM-12"})).await.expect(200);
    let one = only(&house).await;
    assert_eq!((&one["state"], &one["reason"]), (&json!("left"), &json!("CRM-12")));
    house.carry_on().await;
    assert_eq!(annas(&house).await, 1);
    let looked = house.product.look_for_everybody().await.unwrap();
    assert_eq!(looked.persons, 0, "nobody looks for the customer any more");
    house.nothing_leaked();
}
