//! Drills: begun by who operates, read by who reads, and never the invented person's doing.

use serde_json::json;

use super::house::House;

const PLANT: &str = "drill:
  plant:
    - collection: customers
      values: {email: '{email}', full_name: 'Drill {tag}'}
    - collection: notes
      values: {customer_id: '{customers.id}', words: 'of {tag}'}
";

async fn house() -> House {
    House::open_with_map("drills: {at_most: PT1H}\n", PLANT).await
}

#[tokio::test]
async fn a_drill_is_begun_carried_out_and_read() {
    let house = house().await;
    let none = house.get("auditor", "/v1/drills").await.expect(200).json();
    assert_eq!((&none["drills"], &none["standing"]["at_most"]), (&json!([]), &json!("PT1H")));
    house.post("auditor", "/v1/drills", &json!({})).await.expect(403);
    house.post("operator", "/v1/drills", &json!({"systems": ["crm"]})).await.expect(422);
    let begun = house.post("operator", "/v1/drills", &json!({})).await.expect(201).json();
    assert_eq!((&begun["state"], &begun["by"]), (&json!("planting"), &json!("night-shift")));
    house.post("operator", "/v1/drills", &json!({})).await.expect(422);
    for _ in 0..4 {
        house.product.advance_drills(quietus::app::drill::DrillPace::AtOnce).await.unwrap();
        house.carry_on().await;
    }
    house.product.advance_drills(quietus::app::drill::DrillPace::AtOnce).await.unwrap();
    let id = begun["drill"].as_str().unwrap();
    let drill = house.get("auditor", &format!("/v1/drills/{id}")).await.expect(200).json();
    assert_eq!(drill["state"], "done", "{drill:#}");
    assert_eq!(drill["systems"][0]["seconds_to_erasure"], 0.0, "the clock stands still");
    let numbers = house.get("auditor", "/metrics").await.expect(200).text();
    for line in [
        "quietus_drill_seconds{system=\"crm\",part=\"erasure\"} 0",
        "quietus_drill_seconds{system=\"crm\",part=\"again\"} 0",
        "quietus_drill_alarm{what=\"not_done\"} 0",
        "quietus_drill_alarm{what=\"left\"} 0",
        "quietus_drills_not_done_total 0",
        "quietus_drill_last_done_age_seconds 0",
    ] {
        assert!(numbers.contains(line), "`{line}` in\n{numbers}");
    }
    let mut open = numbers.lines().filter(|line| line.starts_with("quietus_requests_open"));
    assert!(open.all(|line| line.ends_with(" 0")), "{numbers}");
    assert_eq!(house.customers("SELECT COUNT(*) FROM customers").await, 3);
    let unknown = "/v1/drills/00000000-0000-7000-8000-000000000000";
    house.get("auditor", unknown).await.expect(404);
}

#[tokio::test]
async fn nobody_brings_a_request_as_if_it_were_a_drills() {
    let house = house().await;
    let body = json!({
        "right": "erasure",
        "channel": "drill",
        "identities": [{"type": "email", "value": "carl@mail.example"}],
    });
    let refused = house.post("operator", "/v1/requests", &body).await.expect(422);
    assert!(refused.text().contains("the channel of drills"), "{}", refused.text());
}
