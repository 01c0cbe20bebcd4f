//! Where the code of a printed certificate leads: one page, to whoever has the identifier.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quietus::domain::Digest;
use quietus::http::{Entry, doors};

use super::house::House;

const WITH_LINKS: &str = "evidence: {host: erasure.example.com}\n";

#[test]
fn one_door_is_for_paper() {
    let printed: Vec<(&str, &str)> = doors()
        .iter()
        .filter(|door| door.entry == Entry::Printed)
        .map(|door| (door.method, door.path))
        .collect();
    assert_eq!(printed, [("GET", "/c/{id}")]);
}

#[tokio::test]
async fn the_code_leads_to_the_page_of_the_certificate() {
    let house = House::open_with_lines(WITH_LINKS).await;
    let (_, id) = house.certified().await;
    let text = house.get("auditor", &format!("/v1/certificates/{id}/text")).await.expect(200);
    let statement = house.get("auditor", &format!("/v1/certificates/{id}/statement")).await;
    let digest = URL_SAFE_NO_PAD.encode(Digest::of(&statement.expect(200).body).0);
    let link = format!("https://erasure.example.com/c/{id}#{digest}");
    assert!(text.text().contains(&link), "{link} in {}", text.text());

    let page = house.send(house.request("GET", &format!("/c/{id}"))).await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("x-robots-tag"), "noindex");
    assert!(page.header("content-security-policy").contains("script-src 'sha256-"));
    let own = house.get("auditor", &format!("/v1/certificates/{id}/html")).await.expect(200);
    assert_eq!(page.body, own.body, "it is the auditor's page");

    let begins = async |query: &str, accepted: &str| {
        let request = house.request("GET", &format!("/c/{id}{query}"));
        let page = house.send(request.header("accept-language", accepted)).await.expect(200).text();
        page.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(begins("", "fr-FR, de-AT;q=0.8, en;q=0.5").await, "<html lang=\"de\">");
    assert_eq!(begins("", "en;q=0.4,zh-CN;q=0.9").await, "<html lang=\"zh-Hans\">");
    assert_eq!(begins("", "fr, de;q=0").await, "<html lang=\"en\">");
    assert_eq!(begins("?language=zh", "de").await, "<html lang=\"zh-Hans\">");
    house.send(house.request("GET", &format!("/c/{id}?language=tlh"))).await.expect(422);
    house.send(house.request("POST", &format!("/c/{id}"))).await.expect(405);
    house.nothing_leaked();
}

#[tokio::test]
async fn identifiers_are_not_guessed_and_who_tries_keeps_nobody_out() {
    let house = House::open_with_lines(WITH_LINKS).await;
    let (case, id) = house.certified().await;
    let asked = async |id: &str| house.send(house.request("GET", &format!("/c/{id}"))).await;
    for unknown in [&case, &id[..35], "latest", "..%2f..%2fkeys", &"A".repeat(5000)] {
        asked(unknown).await.expect(404);
    }
    let mut slowed = 0;
    // Five a second are forgiven, so a slow machine takes more of them.
    for number in 0..5000_u128 {
        if slowed > 10 {
            break;
        }
        let answer = asked(&uuid::Uuid::from_u128(number).to_string()).await;
        match answer.status.as_u16() {
            404 => {}
            429 => {
                answer.expect(429);
                slowed += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(slowed > 10, "{slowed}");
    asked(&id).await.expect(200);
    house.get("auditor", "/v1/rules").await.expect(200);
    house.nothing_leaked();
}
