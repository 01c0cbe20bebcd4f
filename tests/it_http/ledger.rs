//! The evidence log as a monitor reads it: from tiles and entries alone it comes to the signed
//! root.

use base64::Engine as _;
use quietus::domain::Digest;
use quietus::evidence::note::verify_checkpoint;
use quietus::evidence::{TrustedRoot, merkle, tiles};
use serde_json::json;

use super::house::House;

async fn log_of(house: &House, id: &str) -> quietus::evidence::LogIdentity {
    let path = format!("/v1/certificates/{id}/export/trusted_root.json");
    let root = house.get("auditor", &path).await.expect(200);
    TrustedRoot::from_json(&root.body).unwrap().logs.remove(0).log
}

fn entries_of(mut bundle: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        entries.push(entry.to_vec());
        bundle = rest;
    }
    entries
}

#[tokio::test]
async fn tiles_and_entries_lead_to_the_signed_root() {
    let house = House::open().await;
    let (case, id) = house.certified().await;
    let log = log_of(&house, &id).await;
    let note = house.get("auditor", "/log/checkpoint").await.expect(200);
    assert_eq!(note.header("content-type"), "text/plain; charset=utf-8");
    let checkpoint = verify_checkpoint(&note.text(), &log).unwrap();
    let size = checkpoint.size;
    assert!((5..256).contains(&size), "{size}");

    let tile = house.get("auditor", &format!("/log/tile/0/000.p/{size}")).await.expect(200);
    assert_eq!(tile.body.len() as u64, size * 32);
    let read = |_| Some(tile.body.clone());
    assert_eq!(tiles::root(size, read).unwrap(), checkpoint.root);
    let bundle = house.get("auditor", &format!("/log/tile/entries/000.p/{size}")).await.expect(200);
    let entries = entries_of(&bundle.body);
    assert_eq!(entries.len() as u64, size);
    for (entry, hash) in entries.iter().zip(tile.body.chunks(32)) {
        assert_eq!(merkle::leaf_hash(entry).0, hash);
    }

    // Each detail of the case stands behind its leaf.
    let path = format!("/v1/evidence/cases/{case}");
    let evidence = house.get("auditor", &path).await.expect(200).json();
    for one in evidence["entries"].as_array().unwrap() {
        let leaf = &entries[usize::try_from(one["leaf_index"].as_u64().unwrap()).unwrap()];
        let leaf: serde_json::Value = serde_json::from_slice(leaf).unwrap();
        assert_eq!(leaf["spec"]["detailSha256"], one["detail_sha256"]);
    }

    let shorter = house.get("auditor", "/log/tile/0/000.p/3").await.expect(200);
    assert_eq!(shorter.body, tile.body[..96]);
    for beyond in [format!("0/000.p/{}", size + 1), "0/000".to_owned(), "1/000.p/1".to_owned()] {
        house.get("auditor", &format!("/log/tile/{beyond}")).await.expect(404);
    }
    house.nothing_leaked();
}

#[tokio::test]
async fn what_is_not_signed_yet_is_not_shown_and_full_tiles_are() {
    let house = House::open().await;
    house.get("auditor", "/log/checkpoint").await.expect(404);
    house.get("auditor", "/log/tile/0/000.p/1").await.expect(404);
    for number in 0..270 {
        let pause = json!({"scope": "everything", "reason": format!("round {number}")});
        house.post("operator", "/v1/pauses", &pause).await.expect(201);
        house.ask("operator", "DELETE", "/v1/pauses?scope=everything", None).await.expect(200);
    }
    house.product.advance_log().await.unwrap();
    let note = house.get("auditor", "/log/checkpoint").await.expect(200).text();
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    assert!(size > 512, "{size}");
    let full = house.get("auditor", "/log/tile/0/000").await.expect(200);
    let second = house.get("auditor", "/log/tile/0/001").await.expect(200);
    assert_eq!((full.body.len(), second.body.len()), (8192, 8192));
    let rest = size - 512;
    let tail = house.get("auditor", &format!("/log/tile/0/002.p/{rest}")).await.expect(200);
    let upper = house.get("auditor", "/log/tile/1/000.p/2").await.expect(200);
    let root = tiles::root(size, |tile| match (tile.level, tile.index) {
        (0, 0) => Some(full.body.clone()),
        (0, 1) => Some(second.body.clone()),
        (0, 2) => Some(tail.body.clone()),
        (1, 0) => Some(upper.body.clone()),
        _ => None,
    });
    let signed = note.lines().nth(2).unwrap();
    let signed = base64::engine::general_purpose::STANDARD.decode(signed).unwrap();
    assert_eq!(root.unwrap(), Digest(signed.try_into().unwrap()));
    let bundle = house.get("auditor", "/log/tile/entries/001").await.expect(200);
    assert_eq!(entries_of(&bundle.body).len(), 256);
}

/// A log under its own name, with and without a token.
async fn named(house: &House, token_needed: bool) {
    for number in 0..140 {
        let pause = json!({"scope": "everything", "reason": format!("round {number}")});
        house.post("operator", "/v1/pauses", &pause).await.expect(201);
        house.ask("operator", "DELETE", "/v1/pauses?scope=everything", None).await.expect(200);
    }
    house.product.advance_log().await.unwrap();
    let ask = async |path: &str| {
        let request = house.request("GET", path);
        let auditor = super::house::token("auditor");
        let request = if token_needed { request.bearer_auth(auditor) } else { request };
        house.send_and_keep(request).await
    };
    let newest = ask("/log/checkpoint").await.expect(200);
    let note = ask("/log/2026/checkpoint").await.expect(200);
    assert_eq!(note.body, newest.body);
    assert_eq!(note.header("cache-control"), "no-store");
    assert!(note.text().starts_with("example-shop-gmbh/evidence/2026\n"), "{}", note.text());
    let size: u64 = note.text().lines().nth(1).unwrap().parse().unwrap();
    let rest = size - 256;
    let who = if token_needed { "private" } else { "public" };
    for full in ["/log/2026/tile/0/000", "/log/2026/tile/entries/000"] {
        let answer = ask(full).await.expect(200);
        let keeping = format!("{who}, max-age=31536000, immutable");
        assert_eq!(answer.header("cache-control"), keeping, "{full}");
        assert_eq!(answer.header("content-type"), "application/octet-stream");
    }
    for partial in
        [format!("/log/2026/tile/0/001.p/{rest}"), format!("/log/2026/tile/entries/001.p/{rest}")]
    {
        let answer = ask(&partial).await.expect(200);
        assert_eq!(answer.header("cache-control"), format!("{who}, max-age=3600"), "{partial}");
    }
    // Next year another log is behind the address without a name.
    assert_eq!(ask("/log/tile/0/000").await.expect(200).header("cache-control"), "no-store");
    for missing in [
        "/log/2027/checkpoint".to_owned(),
        "/log/2027/tile/0/000".to_owned(),
        format!("/log/2026/tile/0/001.p/{}", rest + 1),
        "/log/2026/tile/0/000.p/256".to_owned(),
    ] {
        let answer = ask(&missing).await.expect(404);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    house.nothing_leaked();
}

#[tokio::test]
async fn a_log_is_served_under_its_name_with_a_token() {
    let house = House::open().await;
    named(&house, true).await;
    house.send(house.request("GET", "/log/2026/checkpoint")).await.expect(401);
    house.get("event-source", "/log/2026/checkpoint").await.expect(403);
}

#[tokio::test]
async fn a_log_is_served_to_anybody_where_the_instance_says_so() {
    let house = House::open_with("sqlite:quietus.db", "evidence: {readers: anybody}\n").await;
    named(&house, false).await;
    // Nothing else is open.
    house.send(house.request("GET", "/v1/certificates")).await.expect(401);
    house.send(house.request("POST", "/log/2026/checkpoint")).await.expect(405);
}
