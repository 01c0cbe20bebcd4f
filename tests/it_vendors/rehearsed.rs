//! `quietus connector test --rehearse`: it really erases, so it has to be asked for twice, it stands
//! behind legal holds and pauses, and it is on record.

use crate::instance::Instance;
use crate::tried::company;
use crate::vendors::cases::cases;

const PERSON: &str = "email=Jane.O'Brien+tag@SHOP.example\n";

async fn mailchimp() -> (Instance, crate::exchange::Exchange) {
    let case = cases().into_iter().find(|case| case.name == "mailchimp").unwrap();
    let (instance, exchange) = company(&case).await;
    instance.write("person.txt", PERSON);
    (instance, exchange)
}

fn rehearse<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["connector", "test", "mailchimp", "--rehearse", file][..], more].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rehearsal_erases_the_test_person_and_is_on_record() {
    let (instance, exchange) = mailchimp().await;
    let file = instance.path().join("person.txt").display().to_string();
    let half = instance.quietus(&rehearse(&file, &[])).await.expect(2);
    assert!(half.err.contains("--really-erase"), "{}", half.err);
    let half = ["connector", "test", "mailchimp", "--really-erase"];
    instance.quietus(&half).await.expect(2);
    assert_eq!(exchange.world().changes(), 0);

    let by = ["--really-erase", "--by", "Ada Example"];
    let told = instance.quietus(&rehearse(&file, &by)).await.expect(0);
    insta::assert_snapshot!(told.out);
    assert!(!told.out.to_lowercase().contains("jane"), "{}", told.out);
    assert_eq!(exchange.world().alive(), ["e4d909c290d0fb1ca068ffaddf22cbd0"]);
    assert!(!instance.store().to_lowercase().contains("jane.o'brien"), "nobody is kept in clear");

    // A second time nobody is there to be found, and that is told.
    let told = instance.quietus(&rehearse(&file, &by)).await.expect(1);
    assert!(told.out.contains("FAIL         find"), "{}", told.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_pauses_and_wrong_input_stop_a_rehearsal_before_anything_is_sent() {
    let (instance, exchange) = mailchimp().await;
    let by = ["--really-erase"];
    for (input, expected) in [
        ("", "the file has none of them"),
        ("customer_id=4712\n", "the file has none of them"),
        ("email=\n", ""),
        ("jane\n", "`type=value`"),
    ] {
        let told = instance.told(&rehearse("-", &by), input).await.expect(2);
        assert!(told.err.contains(expected) && !told.err.contains("4712"), "{}", told.err);
    }
    let shop = ["connector", "test", "shop", "--rehearse", "-", "--really-erase"];
    let told = instance.told(&shop, PERSON).await.expect(2);
    assert!(told.err.contains("only third parties with an interface can"), "{}", told.err);

    let hold = ["hold", "place", "LIT-9", "--everything", "--reason", "a lawsuit"];
    instance.quietus(&hold).await.expect(0);
    let told = instance.told(&rehearse("-", &by), PERSON).await.expect(2);
    assert!(told.err.contains("legal hold of matter `LIT-9`"), "{}", told.err);
    instance.quietus(&["hold", "release", "LIT-9"]).await.expect(0);
    let elsewhere = ["hold", "place", "LIT-8", "--system", "shop", "--reason", "a lawsuit"];
    instance.quietus(&elsewhere).await.expect(0);

    let pause = ["pause", "system", "mailchimp", "--reason", "maintenance"];
    instance.quietus(&pause).await.expect(0);
    let told = instance.told(&rehearse("-", &by), PERSON).await.expect(2);
    assert!(told.err.contains("`mailchimp` is paused"), "{}", told.err);
    assert_eq!(exchange.world().seen.len(), 0, "nothing was sent");
    instance.quietus(&["resume", "system", "mailchimp"]).await.expect(0);
    instance.told(&rehearse("-", &by), PERSON).await.expect(0);
    assert!(exchange.world().changes() > 0);
}
