//! Stores that cannot be listed, whose copies do not go, or that take no new ones: said as such,
//! never as a date; an alarm, in lists, metrics and the log.

use quietus::app::backup::Trouble;
use serde_json::Value;

use super::{VAULT, company, copies, dump, live, looks, observed, people, prune, states_the_end};
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_pruning_is_broken_is_an_alarm_and_no_date() {
    let company = company(Kind::Sqlite).await;
    for day in 1..=6 {
        dump(&company, &format!("2027-01-0{day}"));
    }
    let clock = TurnedClock::at("2027-01-06T09:00:00Z");
    let product = company.replica(&clock).await;
    assert!(product.store_standings()[0].listed_at.is_none(), "nobody has looked yet");
    let standing = &product.watch_stores().await[0];
    assert_eq!((standing.alarm, standing.overstaying), (Some(Trouble::Stuck), 2));
    assert_eq!(&product.store_standings()[0], standing);

    people::brought(&company, "erasure", "email=alan@mail.example\n").await;
    live(&product).await;
    let case = company.oldest_case().await;
    let stated = copies(&company.certificate_of(&case).await);
    assert_eq!(stated[0]["withoutDay"], "old copies of the store do not go as they should");
    assert!(stated[0]["goneBy"].is_null());
    assert_eq!(stated[0]["copies"], "6");

    // Somebody mends it: a day is known, and a certificate says so.
    for day in 1..=4 {
        prune(&company, &format!("2027-01-0{day}"));
    }
    dump(&company, "2027-01-07");
    clock.set("2027-01-07T12:00:00Z");
    assert_eq!(product.watch_stores().await[0].alarm, None);
    live(&product).await;
    let dated = company.certificate_of(&case).await;
    assert_eq!(copies(&dated)[0]["goneBy"], "2027-01-09");
    assert_eq!(dated.overall(), "complete-with-exceptions");
    assert_eq!(looks(&company).await, ["completed -", "scheduled -"]);
    for (day, gone) in [("08", "05"), ("09", "06")] {
        dump(&company, &format!("2027-01-{day}"));
        prune(&company, &format!("2027-01-{gone}"));
    }
    clock.set("2027-01-09T12:00:00Z");
    live(&product).await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_that_is_over_while_copies_are_left_is_taken_back() {
    let company = company(Kind::Sqlite).await;
    people::brought(&company, "erasure", "email=alan@mail.example\n").await;
    dump(&company, "2027-01-04");
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    let case = company.oldest_case().await;
    let first = company.certificate_id(&case).await;
    assert_eq!(copies(&company.certificate_of(&case).await)[0]["goneBy"], "2027-01-07");

    // Copies are taken, and none goes. For one day more the store is given time.
    for day in ["05", "06", "07"] {
        dump(&company, &format!("2027-01-{day}"));
        clock.set(&format!("2027-01-{day}T12:00:00Z"));
        live(&product).await;
        assert_eq!(company.certificate_id(&case).await, first, "{day}");
    }
    dump(&company, "2027-01-08");
    clock.set("2027-01-08T12:00:01Z");
    live(&product).await;
    let second = company.certificate_of(&case).await;
    assert_eq!(second.predicate["supersedes"]["certificateId"], first);
    assert_eq!(second.predicate["supersedes"]["reason"], "looked-again");
    assert_eq!(second.overall(), "complete-with-exceptions");
    let stated = copies(&second);
    assert_eq!(stated[0]["withoutDay"], "old copies of the store do not go as they should");
    assert!(stated[0]["goneBy"].is_null());
    let without = company.certificate_id(&case).await;
    dump(&company, "2027-01-09");
    clock.set("2027-01-09T13:00:00Z");
    live(&product).await;
    assert_eq!(company.certificate_id(&case).await, without, "it says what is so");

    for day in ["04", "05", "06"] {
        prune(&company, &format!("2027-01-{day}"));
    }
    clock.set("2027-01-10T14:00:00Z");
    live(&product).await;
    states_the_end(&company.certificate_of(&case).await, (&without, "2027-01-10T14:00:00Z"));
    company.check_log().await;
}

/// A system that is copied elsewhere from now on is still in the copies that it had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_in_a_store_that_no_longer_copies_the_system_are_stated() {
    let company = company(Kind::Sqlite).await;
    people::brought(&company, "erasure", "email=alan@mail.example\n").await;
    dump(&company, "2027-01-04");
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    live(&company.replica(&clock).await).await;
    let case = company.oldest_case().await;
    let first = company.certificate_id(&case).await;

    company.write("systems/vault.yaml", &VAULT.replace("[shop, desk]", "[desk]"));
    let attic = VAULT.replace("[shop, desk]", "[shop]").replace("vault", "attic");
    company.write("systems/attic.yaml", &attic.replace("place: dumps", "place: attic"));
    std::fs::create_dir(company.path("attic")).unwrap();
    for day in ["05", "06", "07", "08"] {
        dump(&company, &format!("2027-01-{day}"));
        company.write(&format!("attic/shop-2027-01-{day}.sql"), "everything");
    }
    std::fs::remove_file(company.path("attic/shop-2027-01-05.sql")).unwrap();
    clock.set("2027-01-08T12:00:01Z");
    live(&company.replica(&clock).await).await;
    let second = company.certificate_of(&case).await;
    assert_eq!(second.predicate["supersedes"]["certificateId"], first);
    assert_eq!(second.overall(), "complete-with-exceptions");
    let mut stated = 0;
    for one in second.statements() {
        let stores = one["backup"].as_array().into_iter().flatten();
        let old = stores.filter(|backup| backup["store"] == "vault");
        let left = old.filter(|backup| backup["seenGoneAt"].is_null()).count();
        let erased = one["records"]["deleted"] != "0" || one["records"]["cleared"] != "0";
        if one["system"]["id"] == "shop" && erased {
            assert_eq!(left, 1, "{one:#}");
            stated += 1;
        }
    }
    assert!(stated > 0, "{:#?}", second.predicate["statements"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_for_a_while_is_asked_again() {
    let company = company(Kind::Sqlite).await;
    people::brought(&company, "erasure", "email=alan@mail.example\n").await;
    dump(&company, "2027-01-04");
    let away = |is_away: bool| {
        let (here, there) = (company.path("dumps"), company.path("unmounted"));
        let (from, to) = if is_away { (here, there) } else { (there, here) };
        std::fs::rename(from, to).unwrap();
    };
    away(true);
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    assert_eq!(product.watch_stores().await[0].alarm, Some(Trouble::Unlisted));
    assert!(product.store_standings()[0].fault.as_ref().unwrap().contains("no such folder"));
    live(&product).await;
    let case = company.oldest_case().await;
    let first = company.certificate_of(&case).await;
    assert_eq!(first.overall(), "complete-with-exceptions");
    let stated = copies(&first);
    assert_eq!(stated[0]["withoutDay"], "the store could not be listed");
    assert!(stated[0]["listedAt"].is_null() && stated[0]["copies"].is_null());

    // It stays away for some looks: nothing is claimed, and nothing is written that is no news.
    let before = observed(&company).await;
    for hour in ["11", "12", "13"] {
        clock.set(&format!("2027-01-04T{hour}:30:00Z"));
        live(&product).await;
        assert_eq!(looks(&company).await, ["available unlisted"]);
    }
    assert_eq!(observed(&company).await, before);
    away(false);
    clock.set("2027-01-04T15:00:00Z");
    live(&product).await;
    let dated = company.certificate_of(&case).await;
    assert_eq!(copies(&dated)[0]["goneBy"], "2027-01-07");

    // And once more when its day comes.
    dump(&company, "2027-01-07");
    prune(&company, "2027-01-04");
    away(true);
    clock.set("2027-01-07T12:00:00Z");
    live(&product).await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete-with-exceptions");
    away(false);
    clock.set("2027-01-07T14:00:00Z");
    live(&product).await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete");
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_takes_no_copies_is_an_alarm_and_one_that_is_gone_from_the_map_too() {
    let company = company(Kind::Sqlite).await;
    people::brought(&company, "erasure", "email=alan@mail.example\n").await;
    dump(&company, "2027-01-04");
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    let case = company.oldest_case().await;
    clock.set("2027-01-07T12:00:00Z");
    assert_eq!(product.watch_stores().await[0].alarm, Some(Trouble::Stale));
    live(&product).await;
    assert_eq!(looks(&company).await, ["scheduled -"], "its only copy stays");
    assert_eq!(company.certificate_of(&case).await.overall(), "complete-with-exceptions");

    // Whoever takes the store out of the data map does not make its copies go.
    std::fs::remove_file(company.path("systems/vault.yaml")).unwrap();
    let without = company.replica(&clock).await;
    clock.set("2027-01-09T12:00:00Z");
    live(&without).await;
    assert_eq!(looks(&company).await, ["available unmapped"]);
    company.write("systems/vault.yaml", VAULT);
    dump(&company, "2027-01-09");
    prune(&company, "2027-01-04");
    let again = company.replica(&clock).await;
    clock.set("2027-01-09T14:00:00Z");
    live(&again).await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_is_removed_where_the_map_says_so_and_no_hold_speaks_of_it() {
    let company = company(Kind::Sqlite).await;
    company.write("systems/vault.yaml", &format!("{VAULT}expire: by_quietus\n"));
    for day in 1..=6 {
        dump(&company, &format!("2027-01-0{day}"));
    }
    let files = || {
        let folder = std::fs::read_dir(company.path("dumps")).unwrap();
        let mut names: Vec<String> =
            folder.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let place = ["hold", "place", "M-1", "--system", "shop", "--reason", "lawsuit, T-1"];
    company.quietus(&place).await.expect(0);
    let clock = TurnedClock::at("2027-01-06T09:00:00Z");
    let product = company.replica(&clock).await;
    product.watch_stores().await;
    assert_eq!(files().len(), 6, "a hold speaks of the shop");
    company.quietus(&["hold", "release", "M-1"]).await.expect(0);
    clock.set("2027-01-06T11:00:00Z");
    let standing = &product.watch_stores().await[0];
    assert_eq!(files(), ["shop-2027-01-04.sql", "shop-2027-01-05.sql", "shop-2027-01-06.sql"]);
    assert_eq!((standing.alarm, standing.copies), (None, Some(3)));
    let removed =
        "SELECT CAST(COUNT(*) AS TEXT) FROM evidence_details WHERE kind = 'backup.expired'";
    assert_eq!(company.store_rows(removed).await, ["2"], "before and after");
    // Nobody takes copies any more: those that are there stay.
    clock.set("2027-02-06T11:00:00Z");
    product.watch_stores().await;
    assert_eq!(files().len(), 3);
    product.certify_finished().await.unwrap();
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_lists_copies_and_says_until_when_they_hold_something() {
    let company = company(Kind::Sqlite).await;
    let vault = format!("{VAULT}every: P3650D\n");
    company.write("systems/vault.yaml", &vault.replace("daily: 3", "within: P20000D"));
    dump(&company, "2026-01-02");
    let list = company.quietus(&["backup", "list", "--json"]).await.expect(0).json();
    assert_eq!(list[0]["store"], "vault");
    assert_eq!(list[0]["copies"][0]["id"], "shop-2026-01-02.sql");
    assert_eq!(list[0]["copies"][0]["holds_from"], "2026-01-02T00:00:00Z");
    assert_eq!(list[0]["alarm"], Value::Null);
    let text = company.quietus(&["backup", "list", "vault"]).await.expect(0).out;
    assert!(text.contains("vault (dumps) copies desk, shop"), "{text}");
    let holds = ["backup", "horizon", "shop", "--at", "2026-01-03", "--json"];
    let horizon = company.quietus(&holds).await.expect(0).json();
    assert_eq!(horizon["stores"][0]["copies"], 1);
    assert_eq!(horizon["stores"][0]["newest_at"], "2026-01-02T00:00:00Z");
    assert!(horizon["stores"][0]["gone_by"].as_str().unwrap() > "2080");
    let before = ["backup", "horizon", "shop", "--at", "2026-01-01"];
    let text = company.quietus(&before).await.expect(0).out;
    assert!(text.contains("no copy is left that can hold it"), "{text}");
    let unknown = company.quietus(&["backup", "list", "nowhere"]).await.expect(2).err;
    assert!(unknown.contains("there is no store `nowhere`; the data map has `vault`"), "{unknown}");
    let tried = company.quietus(&["connector", "test", "vault"]).await.expect(0).out;
    assert!(tried.contains("1 copies are listed"), "{tried}");
    std::fs::remove_dir_all(company.path("dumps")).unwrap();
    let list = company.quietus(&["backup", "list"]).await.expect(1).out;
    assert!(list.contains("the store could not be listed: "), "{list}");
    company.quietus(&["connector", "test", "vault"]).await.expect(1);
    let checked = company.quietus(&["check"]).await.expect(0).out;
    assert!(checked.contains("copies desk, shop"), "{checked}");
}
