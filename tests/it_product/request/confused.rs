//! Requests that are forged, confused or not meant so: none of them erases anybody.

use super::person;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_confused_is_refused_with_exit_code_2_and_not_repeated() {
    let company = person::company("").await;
    let before = person::everything(&company).await;
    let new = ["request", "new", "--right", "erasure", "--identities-file", "-"];
    for wrong in [
        "",
        "\n\n",
        "grace@mail.example",
        "=grace@mail.example",
        "site_id=grace",
        "grace@mail.example=1",
        "email=",
        "email=*",
        "email=%@mail.example",
        "email=grace@mail.example' OR '1'='1",
        "email=grace@mail.example, alan@mail.example",
        "email=grace@mail.example\u{7}",
        "customer_id=%",
        "customer_id=\u{1b}[31m1",
    ] {
        let told = person::told(&company, &new, wrong).await.expect(2);
        assert!(!told.err.to_lowercase().contains("grace"), "{}", told.err);
        assert!(told.err.starts_with("error: ") && told.out.is_empty(), "{}", told.err);
    }
    for wrong in [
        &["--received", "2126-01-01"][..],
        &["--regime", "unknown"],
        &["--regime", "grace@mail.example"],
        &["--channel", "Call Centre"],
        &["--language", "klingon"],
        &["--category", "unknown"],
        &["--ground", "grace@mail.example"],
        &["--contact-file", "-"],
    ] {
        let arguments = [&new[..], wrong].concat();
        let told = person::told(&company, &arguments, "customer_id=1").await.expect(2);
        assert!(!told.err.contains("grace@mail"), "{}", told.err);
    }
    assert_eq!(company.store_rows("SELECT CAST(COUNT(*) AS TEXT) FROM requests").await, ["0"]);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::everything(&company).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_persons_under_one_address_stop_until_somebody_says_who_is_meant() {
    let company = person::company("").await;
    let before = person::everything(&company).await;
    let id = person::brought(&company, "erasure", "email=shared@mail.example\n").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::everything(&company).await, before);
    let page = company.quietus(&["request", "show", &id]).await.expect(0);
    assert!(page.out.contains("waits: more than one person fits"), "{}", page.out);
    assert!(page.out.contains("2 different `customer_id` were found"), "{}", page.out);
    assert!(page.out.contains(&format!("quietus request tell-apart {id}")), "{}", page.out);
    assert!(!page.out.to_lowercase().contains("shared@"), "{}", page.out);

    let tell = ["request", "tell-apart", &id, "--identities-file", "-"];
    person::told(&company, &tell, "site_id=3\n").await.expect(2);
    person::told(&company, &tell, "customer_id=4\n").await.expect(0);
    company.quietus(&["run", "--once"]).await;
    let rows = person::everything(&company).await;
    assert!(rows.contains(&"3|shared@mail.example|Sally Shared|0".to_owned()), "{rows:?}");
    assert!(rows.contains(&"34|Sally asks".to_owned()), "{rows:?}");
    assert!(
        !rows.iter().any(|row| row.starts_with("4|")),
        "and the one who was meant goes: {rows:?}"
    );
}

/// A system may hold just the spelling that was typed, which is neither small nor large.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_found_as_it_was_typed() {
    let company = person::company("").await;
    let mixed = "UPDATE customers SET email = 'Alan@Mail.Example' WHERE id = 2";
    company.database("shop").run(mixed).await;
    person::brought(&company, "erasure", "email=Alan@Mail.Example\n").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let rows = person::everything(&company).await;
    assert!(!rows.iter().any(|row| row.contains("Alan")), "{rows:?}");
    assert!(!rows.iter().any(|row| row.starts_with("33|")), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_is_a_value_and_never_a_pattern_or_a_command() {
    let company = person::company("").await;
    let before = person::everything(&company).await;
    for value in ["1 OR 1=1", "1; DELETE FROM customers", "1%", "grace@mail.example", "01x", "-1"] {
        person::brought(&company, "erasure", &format!("customer_id={value}\n")).await;
    }
    person::brought(&company, "erasure", "email=gr_ce@mail.example\n").await;
    company.quietus(&["run", "--once"]).await;
    assert_eq!(person::everything(&company).await, before);
}
