//! Attacks of the threat model, each with who sees it: the operator who rewrites history (T1), shows
//! two histories (T3) or backdates (T6), whoever has stolen the log's key (T5), and a witness that
//! lies (T19).

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use quietus::app::Actor;
use quietus::domain::Digest;
use quietus::evidence::cosignature::CosignatureKind;
use quietus::evidence::cosigning::CosigningKey;
use quietus::evidence::time_stamp::{self, Nonce, TimeStampAuthority};
use quietus::evidence::witnessing::Growth;
use quietus::evidence::{LogKey, checkpoint, note};
use quietus::store::{NewTimeStamp, Stamped};
use secrecy::SecretString;

use super::{
    Running, anchor, authority_file, authority_url, company, export, start_witness, states, step,
    witness_at, witness_entry,
};
use crate::company::Company;
use crate::company::database::take_away;
use crate::company::engine::{TurnedClock, work};

/// Puts the store back to an earlier copy, and forgets the head beside the key as an operator can.
fn put_back(company: &Company, copy: &std::path::Path) {
    take_away(&company.path("quietus.db"));
    let head = company.path("keys/log.head");
    if head.exists() {
        std::fs::remove_file(head).unwrap();
    }
    std::fs::copy(copy, company.path("quietus.db")).unwrap();
}

async fn copy_store(company: &Company) -> std::path::PathBuf {
    let copy = company.path("early.db");
    company.store_rows(&format!("VACUUM INTO '{}'", copy.display())).await;
    copy
}

/// T1 and T3: an operator who controls store, keys and guard writes another history. Nobody at home
/// can see it; the witness does.
#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_history_gets_no_signature_of_a_witness() {
    let company = company().await;
    let witness = start_witness(&company, "w.example/1").await;
    let early = copy_store(&company).await;
    anchor(&company, "", &witness_entry(&company, "w", &witness), "");
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(states(&company).await, ["anchored"]);
    export(&company, "latest", "first").await;

    put_back(&company, &early);
    let pause = ["pause", "system", "heap", "--by", "Grace", "--reason", "test"];
    company.quietus(&pause).await.expect(0);
    company.quietus(&["resume", "system", "heap", "--by", "Grace"]).await.expect(0);
    let ran = company.quietus(&["run", "--once"]).await.expect(0);
    assert!(ran.out.contains("does not continue"), "{}", ran.out);
    assert_eq!(states(&company).await, ["logged"], "the second history is anchored by nobody");
    let (found, said) = step(&company, "witnesses", true).await;
    assert_eq!(found, "FAIL", "a policy that was given is not met: {said}");

    // Whoever holds a certificate of the first history holds what contradicts the second.
    let heads = ["first", "latest"].map(|folder| {
        let text = company.read(&format!("{folder}/certificate.tlog-proof"));
        text.split("\n\n").nth(1).unwrap().to_owned()
    });
    assert_ne!(heads[0], heads[1]);
}

async fn ask(witness: &Running, body: String) -> (u16, String, String) {
    let url = format!("http://{}/add-checkpoint", witness.address);
    let reply = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    let kind = reply.headers()["content-type"].to_str().unwrap().to_owned();
    (reply.status().as_u16(), kind, reply.text().await.unwrap())
}

/// T5: whoever has the log's key can sign anything, and a witness signs none of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_log_key_goes_neither_backwards_nor_aside() {
    let company = company().await;
    let witness = start_witness(&company, "w.example/1").await;
    anchor(&company, "", &witness_entry(&company, "w", &witness), "");
    company.quietus(&["run", "--once"]).await.expect(0);
    let head = company.read("keys/log.head");
    let mut lines = head.lines();
    let (origin, size) = (lines.next().unwrap(), lines.next().unwrap().parse::<u64>().unwrap());
    let stolen = LogKey::from_pem(&SecretString::from(company.read("keys/log.pem"))).unwrap();
    let forged = |size: u64, key: &LogKey| {
        checkpoint::sign(origin, size, Digest::of(b"forged"), key).unwrap()
    };
    let question = |old: u64, path: Vec<Digest>, note: String| Growth { old, path, note }.to_text();

    let (status, kind, body) = ask(&witness, question(0, Vec::new(), forged(1, &stolen))).await;
    assert_eq!((status, kind.as_str(), body), (409, "text/x.tlog.size", format!("{size}\n")));
    let (status, _, body) = ask(&witness, question(size, Vec::new(), forged(size, &stolen))).await;
    assert_eq!((status, body), (409, format!("{size}\n")), "the same size, another root");
    let path = vec![Digest([1; 32]); 4];
    let (status, _, _) = ask(&witness, question(size, path, forged(size + 9, &stolen))).await;
    assert_eq!(status, 422);
    let (status, _, _) = ask(&witness, question(size, Vec::new(), forged(size - 1, &stolen))).await;
    assert_eq!(status, 400, "backwards");
    let other = LogKey::generate().unwrap();
    let (status, _, _) = ask(&witness, question(size, Vec::new(), forged(size, &other))).await;
    assert_eq!(status, 403);
    let stranger = checkpoint::sign("else.example/log", 1, Digest::of(b"x"), &stolen).unwrap();
    let (status, _, _) = ask(&witness, question(0, Vec::new(), stranger)).await;
    assert_eq!(status, 404);
    let (status, _, _) = ask(&witness, "old 1\n".to_owned()).await;
    assert_eq!(status, 400);
    // The head that was signed last is signed again, with a newer moment.
    let (status, _, body) = ask(&witness, question(size, Vec::new(), head.clone())).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body.lines().count(), 2, "{body}");
    assert!(
        note::Note::parse(&format!(
            "{}\n{body}",
            head.split_once("\n\n").unwrap().0.to_owned() + "\n"
        ))
        .is_ok()
    );
}

/// Serves one answer to every question.
async fn liar(status: u16, body: String) -> String {
    let answer = move || {
        let body = body.clone();
        async move { (StatusCode::from_u16(status).unwrap(), body) }
    };
    let router = Router::new().route("/add-checkpoint", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// T19: a witness can refuse or sign, and whatever else it says changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_lying_witness_changes_nothing() {
    let company = company().await;
    let [own, other] =
        [1, 2].map(|_| CosigningKey::generate(CosignatureKind::Ed25519, "liar.example/w").unwrap());
    let keys = own.cosigner().verifier_key().to_string();
    company.quietus(&["run", "--once"]).await.expect(0);
    let head = company.read("keys/log.head");
    let text = head.split_once("\n\n").unwrap().0.to_owned() + "\n";
    let now = "2026-11-23T10:00:00Z".parse().unwrap();
    let smaller = text.replacen(text.lines().nth(1).unwrap(), "1", 1);
    for (status, body, said) in [
        (200, other.cosign(&text, now).unwrap(), "other keys"),
        (200, own.cosign(&smaller, now).unwrap(), "does not hold"),
        (200, "nonsense\n".to_owned(), "no signature line"),
        (200, String::new(), "no signature line"),
        (409, "999999999\n".to_owned(), "does not continue"),
        (409, "0\n".to_owned(), "does not continue"),
        (409, "many\n".to_owned(), "without a word"),
        (422, "no\n".to_owned(), "does not continue"),
        (403, String::new(), "does not know the log's key"),
        (404, String::new(), "does not know this log"),
        (302, String::new(), "answered 302"),
        (500, "x".repeat(1_000_000), "more than"),
    ] {
        let url = liar(status, body.clone()).await;
        anchor(&company, "", &witness_at(&company, "liar", &url, &keys), "");
        let ended = company.quietus(&["anchor", "now"]).await.expect(1);
        assert!(ended.out.contains(said), "{status} {said}: {}", ended.out);
        let kept = "SELECT line FROM log_cosignatures WHERE cosigner LIKE 'liar%'";
        assert!(company.store_rows(kept).await.is_empty(), "{status} {said}");
        assert_eq!(states(&company).await, ["logged"], "{status} {said}");
    }
}

/// T6: a certificate that was made now and claims to be of last week. The authority's stamp over a
/// head without it says that it was not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_backdated_certificate_does_not_verify() {
    let company = company().await;
    let clock = TurnedClock::at("2026-11-20T10:00:00Z");
    let product = company.replica(&clock).await;
    product.advance_log().await.unwrap();
    let log_id = product.store.logs().await.unwrap()[0].log_id.clone();
    let head = product.store.latest_checkpoint(&log_id).await.unwrap().unwrap();
    let text = note::Note::parse(std::str::from_utf8(&head.note).unwrap()).unwrap().text;
    let nonce = Nonce([9; 16]);
    let question = time_stamp::request(&Digest::of(text.as_bytes()), nonce);
    let reply = reqwest::Client::new()
        .post(authority_url("rsa"))
        .header("content-type", time_stamp::REQUEST_TYPE)
        .body(question)
        .send()
        .await
        .unwrap();
    let answer = reply.bytes().await.unwrap().to_vec();
    let authority = TimeStampAuthority::from_pem(&authority_file("rsa", "root.pem")).unwrap();
    let stamp = time_stamp::verify(&answer, text.as_bytes(), Some(nonce), &authority).unwrap();
    let chain = TimeStampAuthority::new(stamp.chain).unwrap().to_pem();
    let kept = NewTimeStamp {
        id: uuid::Uuid::from_u128(7),
        about: Stamped::Head { log_id, size: head.size },
        authority: "rsa".to_owned(),
        url: authority_url("rsa"),
        answer,
        chain,
        stamped_at: stamp.moment,
        sound_until: stamp.sound_until,
    };
    product.store.keep_time_stamp(kept, stamp.moment).await.unwrap();

    product.open_case_now(&[], None, Actor("operator".to_owned())).await.unwrap();
    work(&product).await;
    let certificate = product.find_certificate("latest").await.unwrap();
    assert!(certificate.issued_at < stamp.moment, "it claims to be of last week");
    let refused = product.export_certificate(certificate.id, None).await.unwrap_err().to_string();
    assert!(refused.contains("was not in the log yet"), "{refused}");
}

/// An authority whose clock is not ours is not believed, and our own is not either.
#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_differ_are_told() {
    let company = company().await;
    let stamps = super::authority(&company, "ecdsa", "");
    anchor(&company, &stamps, "", "");
    let clock = TurnedClock::at("2026-11-20T10:00:00Z");
    let product = company.replica(&clock).await;
    let tally = product.advance_anchors().await.unwrap();
    let [(name, fault)] = tally.faults.as_slice() else { panic!("{tally:?}") };
    assert_eq!(name, "ecdsa");
    assert!(fault.contains("its clock and ours differ"), "{fault}");
    assert_eq!(company.count_of("time_stamps").await, 0);
}
