//! The same request posted many times at once, over real connections, on both stores: one request,
//! and everybody is told the same.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::house::{House, token};

/// Posts at once; fewer than the changes that the server carries through side by side.
const POSTS: usize = 12;

fn anna() -> Value {
    json!({
        "right": "erasure",
        "identities": [{"type": "email", "value": "anna@mail.example"}],
        "received_at": "2026-11-01T09:00:00+01:00",
    })
}

/// Status and body of each of the posts, which are all under way before the first is answered.
async fn at_once(house: &House, name: impl Fn(usize) -> Option<String>) -> Vec<(u16, Value)> {
    let posts = (0..POSTS).map(|number| {
        let mut request = house.request("POST", "/v1/requests").bearer_auth(token("operator"));
        if let Some(name) = name(number) {
            request = request.header("idempotency-key", name);
        }
        async move {
            let answer = house.send(request.json(&anna())).await;
            (answer.status.as_u16(), answer.json())
        }
    });
    futures_util::future::join_all(posts).await
}

async fn requests(house: &House) -> usize {
    let list = house.get("auditor", "/v1/requests").await.expect(200).json();
    list["requests"].as_array().unwrap().len()
}

async fn one_request_and_one_answer(house: House) {
    let answers = at_once(&house, |_| Some("ticket T-77".to_owned())).await;
    let mut statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
    statuses.sort_unstable();
    let mut expected = vec![200; POSTS - 1];
    expected.push(201);
    assert_eq!(statuses, expected, "{answers:#?}");
    assert!(answers.iter().all(|(_, body)| *body == answers[0].1), "{answers:#?}");
    assert_eq!(requests(&house).await, 1);

    // Without a name, or each under one of its own, every one is told of the one under way.
    let id = answers[0].1["id"].as_str().unwrap();
    for named in [false, true] {
        let name = |number: usize| named.then(|| format!("ticket T-8{number:02}"));
        for (status, body) in at_once(&house, name).await {
            assert_eq!(status, 409, "{body}");
            assert!(body["error"].as_str().unwrap().contains(id), "{body}");
        }
    }
    assert_eq!(requests(&house).await, 1);
    house.nothing_leaked();
}

async fn one_request_without_a_name(house: House) {
    let answers = at_once(&house, |_| None).await;
    let new: Vec<&Value> =
        answers.iter().filter(|(status, _)| *status == 201).map(|(_, body)| body).collect();
    assert_eq!(new.len(), 1, "{answers:#?}");
    let id = new[0]["id"].as_str().unwrap();
    for (status, body) in answers.iter().filter(|(status, _)| *status != 201) {
        assert_eq!(*status, 409, "{body}");
        assert!(body["error"].as_str().unwrap().contains(id), "{body}");
    }
    assert_eq!(requests(&house).await, 1);
}

#[expect(clippy::disallowed_methods, reason = "a test has no `config`")]
async fn postgres(name: &str) -> House {
    let server = std::env::var("QUIETUS_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!("`QUIETUS_TEST_POSTGRES_URL` is not set; run the tests with `tests/run`")
    });
    let database = format!("quietus_http_{}_{name}", std::process::id());
    let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
    for statement in
        [format!("DROP DATABASE IF EXISTS {database}"), format!("CREATE DATABASE {database}")]
    {
        connection.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    connection.close().await.unwrap();
    let (address, options) = server.split_once('?').unwrap_or((&server, ""));
    let (address, _) = address.rsplit_once('/').unwrap();
    House::open_with_store(&format!("{address}/{database}?{options}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_post_at_once_is_one_request_on_sqlite() {
    one_request_and_one_answer(House::open().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_post_at_once_is_one_request_on_postgresql() {
    one_request_and_one_answer(postgres("named").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_without_a_name_at_once_are_one_request_on_sqlite() {
    one_request_without_a_name(House::open().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_without_a_name_at_once_are_one_request_on_postgresql() {
    one_request_without_a_name(postgres("nameless").await).await;
}
