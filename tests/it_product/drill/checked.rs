//! What `quietus check` says of drills that make no sense, with file and line.

use super::{PLANT, SHOP, company};
use crate::company::Company;
use crate::company::database::Kind;

async fn refused(company: &Company, words: &[&str]) {
    let told = company.quietus(&["check"]).await.expect(2);
    let told = format!("{}{}", told.out, told.err);
    for word in words {
        assert!(told.contains(word), "`{word}` in\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_be_somebodys_is_not_planted() {
    let company = company(Kind::Sqlite, &[("club", Kind::Sqlite)], "").await;
    company.quietus(&["check"]).await.expect(0);
    let cases: &[(&str, &str, &[&str])] = &[
        ("'{email}'", "anna@mail.example", &["systems/club.yaml", "may be somebody else's"]),
        ("'{email}'", "'{mail}'", &["nothing is planted for `{mail}`", "did you mean `email`"]),
        ("'{number}'", "many", &["`number` of type `integer` cannot hold this"]),
        ("'{customers.id}'", "'{clients.id}'", &["no earlier record of `clients` is planted"]),
        ("'{customers.id}'", "'{customers.age}'", &["has no `age`"]),
        ("'first {tag}'", "nowhere", &["nothing says that this record is a drill's"]),
        ("'first {tag}'", "'second {tag}'", &["has the same marks"]),
        ("{email: '{email}'", "{id: 5, email: '{email}'", &["this key may be somebody's"]),
        ("collection: orders", "collection: order", &["`club` has no collection `order`"]),
        ("address: 'first", "adress: 'first", &["`club.orders` has no field `adress`"]),
    ];
    for (good, bad, words) in cases {
        let plant = PLANT.replacen(good, bad, 1);
        assert_ne!(plant, PLANT, "{good}");
        company.change_map("club", &format!("{SHOP}{plant}"));
        refused(&company, words).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_make_no_sense_are_told_with_their_line() {
    let company = company(Kind::Sqlite, &[("club", Kind::Sqlite)], "").await;
    let instance = company.read("quietus.yaml");
    let cases: &[(&str, &[&str])] = &[
        ("{schedule: often}", &["quietus.yaml:5", "`often` is no cron expression"]),
        ("{systems: [desk]}", &["`desk` does not say what a drill plants there"]),
        ("{systems: [desc]}", &["there is no system `desc`"]),
        ("{systems: []}", &["nothing is drilled"]),
        ("{at_most: soon}", &["`soon` is no period"]),
        ("{often: true}", &["unknown entry `often`"]),
    ];
    for (settings, words) in cases {
        company.write("quietus.yaml", &format!("{instance}drills: {settings}\n"));
        refused(&company, words).await;
    }
    company.write("quietus.yaml", &format!("{instance}drills: {{at_most: PT1H}}\n"));
    company.change_map("club", SHOP);
    refused(&company, &["no system says what a drill plants there"]).await;
    company.write("quietus.yaml", &instance);
    let told = company.quietus(&["drill", "run"]).await.expect(2).err;
    assert!(told.contains("no system says what a drill plants there"), "{told}");
    let told = company.quietus(&["drill", "show"]).await.expect(2).err;
    assert!(told.contains("there was no drill yet"), "{told}");
}
