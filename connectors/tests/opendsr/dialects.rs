//! The three dialects against a processor that speaks each of them.

use quietus_connectors::{Connector, SubjectResult};
use serde_json::{Value, json};

use super::certificates::{DOMAIN, Hand};
use super::scene::{Scene, execute, follow, order, order_for, pending, subject, testimonies};

#[tokio::test]
async fn the_first_version_has_its_own_names_everywhere() {
    let mut scene = Scene::new(Hand::Rsa).await;
    scene.version = "1.0";
    scene.set("dialect", "v1");
    scene.set("token", "t-1");
    scene.set("field.property_id", "id123");
    {
        let mut inner = scene.processor.inner();
        inner.old_names = true;
        inner.authorization = Some("Bearer t-1".to_owned());
        // As AppsFlyer says that there is no such request.
        inner.absent = 400;
        inner.discovery["api_version"] = json!("1.0");
    }
    let client = scene.client();
    client.check(&order()).await.unwrap();
    let mut again = order();
    again.attempt = 2;
    let receipt = execute(&client, &again).await.unwrap();
    let body = scene.processor.only().body;
    assert_eq!(body.get("regulation"), None);
    assert_eq!(body["api_version"], "1.0");
    assert_eq!(body["property_id"], "id123");
    scene.processor.move_all("canceled", &Value::Null);
    let one = testimonies(follow(&scene, &client, receipt).await).remove(0);
    assert_eq!(one.result, SubjectResult::Refused);
    assert!(one.proof.is_some());
}

#[tokio::test]
async fn the_third_has_dictionaries_and_loses_no_identity_by_it() {
    let mut scene = Scene::new(Hand::Rsa).await;
    scene.version = "v3";
    scene.set("dialect", "v3");
    scene.set("identity.profile", "mpid");
    scene.set("skip_waiting_period", "true");
    {
        let mut inner = scene.processor.inner();
        inner.unwrapped_errors = true;
        inner.discovery["supported_identities"] = json!([
            {"identity_type": "email", "encoding": "raw"},
            {"identity_type": "controller_customer_id", "encoding": "raw"},
            {"identity_type": "mpid", "encoding": "raw"},
        ]);
    }
    let client = scene.client();
    let order = order_for(vec![subject(
        "p1",
        &[
            ("email", "mara.lind@example.com"),
            ("email", "mara@example.com"),
            ("customer_id", "C-17"),
            ("profile", "778899"),
        ],
    )]);
    let receipt = execute(&client, &order).await.unwrap();
    let bodies: Vec<Value> =
        scene.processor.inner().requests.values().map(|one| one.body.clone()).collect();
    assert_eq!(bodies.len(), 3, "two addresses and a profile need three requests");
    let mut addresses: Vec<&str> = bodies
        .iter()
        .filter_map(|body| body["subject_identities"]["email"]["value"].as_str())
        .collect();
    addresses.sort_unstable();
    assert_eq!(addresses, ["mara.lind@example.com", "mara@example.com"]);
    let profile =
        bodies.iter().find(|body| body["extensions"][DOMAIN]["subject_identities"].is_object());
    let profile = profile.unwrap();
    assert_eq!(
        profile["extensions"][DOMAIN],
        json!({
            "skip_waiting_period": true,
            "subject_identities": {"mpid": {"value": "778899", "encoding": "raw"}},
        })
    );
    assert_eq!(profile.get("subject_identities"), None);
    // One of three cancelled: the person is not erased.
    scene.processor.move_all("completed", &Value::Null);
    let first = scene.processor.inner().requests.keys().next().unwrap().clone();
    scene.processor.inner().requests.get_mut(&first).unwrap().status = "cancelled".to_owned();
    let (reference, ask_at) = pending(receipt);
    *scene.clock.lock().unwrap() = ask_at;
    let testimonies = testimonies(client.follow(&order, &reference).await.unwrap());
    assert_eq!(testimonies.len(), 1);
    assert_eq!(testimonies[0].result, SubjectResult::Refused);
}

#[tokio::test]
async fn telephone_identities_go_into_the_extension() {
    let mut scene = Scene::new(Hand::Rsa).await;
    scene.set("regulation", "ccpa");
    scene.set("callback_url", "https://controller.example.org/callbacks");
    scene.processor.inner().discovery["supported_identities"] =
        json!([{"identity_type": "msisdn", "identity_format": "raw"}]);
    let order = order_for(vec![subject("p1", &[("msisdn", "4915100000000")])]);
    pending(execute(&scene.client(), &order).await.unwrap());
    let body = scene.processor.only().body;
    assert_eq!(body["regulation"], "ccpa");
    assert_eq!(body["status_callback_urls"], json!(["https://controller.example.org/callbacks"]));
    assert_eq!(body.get("subject_identities"), None);
    assert_eq!(
        body["extensions"][DOMAIN]["subject_identities"],
        json!([{
            "identity_type": "msisdn", "identity_value": "4915100000000", "identity_format": "raw"
        }])
    );
}
