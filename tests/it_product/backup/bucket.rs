//! A person's case, whose copies are versions of objects in a bucket of Ceph: replaced, hidden behind
//! markers, and written while somebody was being erased. The gateway's own life cycle removes them.

use std::sync::Arc;

use jiff::Timestamp;
use quietus::app::Quietus;
use quietus::app::backup::Trouble;

use super::club::day_after;
use super::{copies, live, looks, people};
use crate::company::Company;
use crate::company::certificate::Certificate;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::company::gateway::{Gateway, told};
use crate::company::owner::Owner;

/// Who asks to be erased.
const ALAN: &str = "alan@mail.example";

/// Objects get a marker after two days, and versions go one day after they were replaced.
const LIFE_CYCLE: &str = "<Rule><ID>dumps</ID><Filter><Prefix>daily/</Prefix></Filter>\
    <Status>Enabled</Status><Expiration><Days>2</Days></Expiration>\
    <NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>\
    </NoncurrentVersionExpiration></Rule>";

/// The bucket, through a gateway whose clock is turned with that of the company.
struct Attic {
    gateway: Gateway,
    owner: Owner,
}

fn key(day: &str) -> String {
    format!("daily/shop-{day}.sql")
}

/// Everything that the shop has, as a dump has it.
async fn dump(company: &Company) -> String {
    let text = "SELECT id || ' ' || coalesce(email, '') FROM customers \
                UNION ALL SELECT id || ' ' || coalesce(email, '') FROM orders";
    company.database("shop").rows(text).await.join("\n")
}

impl Attic {
    async fn at(moment: &'static str) -> Self {
        let mut gateway = Gateway::new().await;
        gateway.live_at(moment).await;
        let owner = gateway.bucket(moment).await;
        owner.life_cycle(LIFE_CYCLE).await;
        Self { gateway, owner }
    }

    async fn live_at(&mut self, moment: &'static str) {
        self.gateway.live_at(moment).await;
        self.owner.door = self.gateway.door(moment);
    }

    /// The versions that the store itself lists, oldest first, and whether each of them holds him.
    async fn listed(&self) -> Vec<(String, bool)> {
        let mut listed = self.owner.list().await;
        listed.retain(|one| !one.marker);
        listed.sort_by_key(|one| one.modified.parse::<Timestamp>().unwrap());
        let mut versions = Vec::new();
        for one in listed {
            let content = self.owner.read(&one.key, &one.version).await.unwrap();
            let day = one.key.trim_start_matches("daily/shop-").trim_end_matches(".sql").to_owned();
            versions.push((day, content.contains(ALAN)));
        }
        versions
    }

    /// The days of those that hold him.
    async fn holding(&self) -> Vec<String> {
        let listed = self.listed().await;
        listed.into_iter().filter(|(_, holds)| *holds).map(|(day, _)| day).collect()
    }
}

/// The company, with the bucket as the store of its copies.
async fn company_on(attic: &Attic) -> Company {
    let company = people::company_on(Kind::Sqlite, "").await;
    company.write_secret("access", &told("QUIETUS_TEST_S3_ACCESS_KEY"));
    company.write_secret("secret", &told("QUIETUS_TEST_S3_SECRET_KEY"));
    company.write(
        "systems/vault.yaml",
        &format!(
            "system: vault\nkind: s3\nrole: backup\nowner: Operations\nzone: UTC\n\
             place: s3://{bucket}/daily/\ncopies: [shop, desk]\nlongest_run: PT2H\n\
             parameters:\n  endpoint: http://{host}\n  private_hosts: '{host}'\n  \
             access_key: file:secrets/access\n  secret_key: file:secrets/secret\n  \
             files: shop-%F.sql\n  must_have: versions, life_cycle\n",
            bucket = attic.owner.bucket,
            host = attic.gateway.host()
        ),
    );
    company
}

/// Two dumps, the older of them deleted; a third is made while he is erased, and written after it.
async fn erased() -> (Attic, Company, Arc<TurnedClock>, Arc<Quietus>) {
    let mut attic = Attic::at("2027-01-02T02:00:00Z").await;
    let company = company_on(&attic).await;
    people::brought(&company, "erasure", &format!("email={ALAN}\n")).await;
    attic.owner.put(&key("2027-01-02"), &dump(&company).await).await;
    attic.live_at("2027-01-03T02:00:00Z").await;
    attic.owner.put(&key("2027-01-03"), &dump(&company).await).await;
    attic.owner.delete(&key("2027-01-02")).await;
    let begun = dump(&company).await;
    attic.live_at("2027-01-04T23:30:00Z").await;
    let clock = TurnedClock::at("2027-01-04T23:30:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    assert!(!dump(&company).await.contains(ALAN));
    attic.live_at("2027-01-05T00:30:00Z").await;
    attic.owner.put(&key("2027-01-04"), &begun).await;
    attic.owner.put(&key("2027-01-05"), &dump(&company).await).await;
    (attic, company, clock, product)
}

/// Those that were listed can hold it, and so can one that was being made; nobody has seen it yet.
async fn states_what_the_store_lists(certificate: &Certificate, attic: &Attic) {
    assert_eq!(certificate.overall(), "complete-with-exceptions");
    assert_eq!(attic.holding().await, ["2027-01-02", "2027-01-03", "2027-01-04"]);
    let listed = attic.owner.list().await;
    let newest = listed.iter().find(|one| one.key == key("2027-01-03")).unwrap();
    let last = listed.iter().find(|one| one.key == key("2027-01-04")).unwrap();
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    let stated = copies(certificate);
    assert_eq!((stated.len(), &stated[0]["copies"]), (1, &"2".into()), "{stated:#?}");
    let stated_newest = stated[0]["newestCopyContaining"].as_str().unwrap();
    assert_eq!(moment(stated_newest).as_second(), moment(&newest.modified).as_second());
    // Two days after it was written, and until midnight, a marker is set; one day after that, and
    // until midnight, the version goes.
    let written = moment(&last.modified).as_second();
    assert_eq!(stated[0]["goneBy"], day_after(written, 2 + 1 + 1 + 1));
    assert_eq!(stated[0]["goneBy"], "2027-01-10");
}

/// What stays of the bucket, through days on which its life cycle is not carried out.
async fn is_stuck(attic: &mut Attic, company: &Company, clock: &TurnedClock, product: &Quietus) {
    attic.live_at("2027-01-07T06:00:00Z").await;
    attic.owner.put(&key("2027-01-07"), &dump(company).await).await;
    clock.set("2027-01-07T06:00:00Z");
    // The one that was deleted was to go on the fifth.
    let standing = &product.watch_stores().await[0];
    assert_eq!((standing.alarm, standing.overstaying), (Some(Trouble::Stuck), 1));
    attic.live_at("2027-01-08T12:00:00Z").await;
    attic.gateway.carry_out_life_cycles().await;
    assert_eq!(attic.holding().await, ["2027-01-03", "2027-01-04"], "behind markers now");
    clock.set("2027-01-08T12:00:00Z");
    assert_eq!(product.watch_stores().await[0].alarm, None, "somebody has mended it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_day_that_is_told_is_that_on_which_the_life_cycle_removes_the_last_version() {
    let (mut attic, company, clock, product) = erased().await;
    let case = company.oldest_case().await;
    let first = company.certificate_id(&case).await;
    let certificate = company.certificate_of(&case).await;
    states_what_the_store_lists(&certificate, &attic).await;
    is_stuck(&mut attic, &company, &clock, &product).await;

    // An hour before the day nothing goes.
    attic.live_at("2027-01-09T23:00:00Z").await;
    attic.gateway.carry_out_life_cycles().await;
    attic.owner.put(&key("2027-01-09"), &dump(&company).await).await;
    assert_eq!(attic.holding().await, ["2027-01-03", "2027-01-04"]);
    clock.set("2027-01-09T23:00:00Z");
    live(&product).await;
    assert_eq!(company.certificate_id(&case).await, first);

    // On the day it is looked at, before the store has come to it.
    attic.live_at("2027-01-10T03:00:00Z").await;
    clock.set("2027-01-10T03:00:00Z");
    live(&product).await;
    assert_eq!(company.certificate_id(&case).await, first, "both versions are there");
    assert_eq!(looks(&company).await, ["scheduled -"]);
    attic.gateway.carry_out_life_cycles().await;
    assert_eq!(attic.holding().await, Vec::<String>::new());
    assert_eq!(attic.listed().await.len(), 2, "those of the seventh and of the ninth are there");

    attic.live_at("2027-01-11T03:30:00Z").await;
    clock.set("2027-01-11T03:30:00Z");
    live(&product).await;
    let last = company.certificate_of(&case).await;
    super::states_the_end(&last, (&first, "2027-01-11T03:30:00Z"));
    assert_eq!(last.counts(), certificate.counts());
    assert_eq!(looks(&company).await, ["completed -"]);
    company.check_log().await;
}
