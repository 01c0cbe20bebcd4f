//! MUST SHOW 7: requests that are forged, confused or not meant so: none of them erases anybody.

use jiff::ToSpan as _;

use super::estate::{self, Estate, GRACE, Kinds, NUMBER, USUAL, live};
use super::person;
use crate::company::database::Kind;

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

/// Nobody typed it like that, and it is neither small nor large.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_mixed_case_is_found_where_capitals_do_not_count() {
    for (compare, found) in [("compare: exact", false), ("compare: ignore_case", true)] {
        let company = person::company("").await;
        let map = company.read("systems/shop.yaml");
        let declared = map.replace("identity: email", &format!("identity: email, {compare}"));
        company.write("systems/shop.yaml", &declared);
        let mixed = "UPDATE customers SET email = 'aLaN@Mail.eXample' WHERE id = 2;
             CREATE INDEX customers_email ON customers (lower(email))";
        company.database("shop").run(mixed).await;
        person::brought(&company, "erasure", "email=alan@mail.example\n").await;
        company.quietus(&["run", "--once"]).await;
        let rows = person::everything(&company).await;
        assert_eq!(!rows.iter().any(|row| row.contains("aLaN")), found, "{rows:?}");
        // Only the customer's number leads to the ticket.
        assert_eq!(!rows.iter().any(|row| row.starts_with("33|")), found, "{rows:?}");
    }
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

/// Refused at the door: empty, many at once, not to be seen, or no address at all.
const REFUSED: &[&str] = &[
    "email=",
    "email=   ",
    "email=%",
    "email=*",
    "email=_",
    "email=%@mail.example",
    "email=grace.hopple@%",
    "email=*@mail.example",
    "email=grace.hopple",
    "email=grace.hopple@mail.example' OR '1'='1",
    "email=x'/**/or/**/1=1--@mail.example",
    "email=x'; DROP TABLE customers; --@mail.example",
    "email=grace.hopple@mail.example,alan.tarring@mail.example",
    "email=gr\u{200b}ace.hopple@mail.example",
    "email=grace.hopple@mail.example\u{7}",
    "email=grace.hopple@mail.example\u{202e}",
    "customer_id=",
    "customer_id=%",
    "customer_id=_",
    "customer_id=*",
    "customer_id=***",
    "contact_id=%",
    "contact_id=???",
    "user_id=918273645546",
    "CUSTOMER_ID=918273645546",
];

/// Taken at their word, and the word is nobody's; one or the other may be refused as well.
const NOBODYS: &[&str] = &[
    "email=grace_hopple@mail.example",
    "email=grace.hoppl_@mail.example",
    "email=gr\u{430}ce.hopple@mail.example",
    "email=\u{ff47}race.hopple@mail.example",
    "email=gr\u{e1}ce.hopple@mail.example",
    "email=gra\u{301}ce.hopple@mail.example",
    "email=gracehopple@mail.example",
    "email=grace.hopple+news@mail.example",
    "email='or'1'='1@mail.example",
    "email=x'||'1'='1'--@mail.example",
    "email=918273645546@mail.example",
    "customer_id=918273645546 OR 1=1",
    "customer_id=918273645546; DELETE FROM customers",
    "customer_id=918273645546' OR '1'='1",
    "customer_id=918273645546%",
    "customer_id=0918273645546",
    "customer_id=+918273645546",
    "customer_id=918273645546.0",
    "customer_id=9.18273645546e11",
    "customer_id=\u{ff19}18273645546",
    "customer_id=91827364554",
    "customer_id=9182736455461",
    "customer_id=-1",
    "customer_id=NULL",
    "customer_id=true",
    "customer_id=grace.hopple@mail.example",
    // A site's number, and the key of somebody's account.
    "customer_id=900",
    "site_id=900",
    "site_id=700300200",
    "contact_id=918273645546",
    "contact_id=CONTACT-5FD1C8",
    "contact_id=c\u{f3}ntact-5fd1c8",
    "contact_id=contact-5fd1c",
    "contact_id=contact_5fd1c8",
];

/// Two persons fit: somebody has to say who is meant.
const TWO: &[&str] = &[
    "email=shared.desk@mail.example",
    "customer_id=3001\ncustomer_id=3002",
    "email=grace.hopple@mail.example\ncustomer_id=700300200",
];

async fn nobody_is_erased(kinds: Kinds) {
    let mut estate = Estate::new(Kind::Sqlite, kinds, "[email, contact_id]", "").await;
    estate.without(&["archive"]);
    let company = &estate.company;
    let before = estate.everything().await;
    let check = ["--check", "high", "--method", "login"];
    let new = ["request", "new", "--right", "erasure", "--identities-file", "-"];
    let new = [&new[..], &check].concat();
    for wrong in REFUSED {
        let told = person::told(company, &new, wrong).await;
        assert_eq!(told.code, 2, "`{wrong}`: {}", told.out);
    }
    assert_eq!(company.count_of("requests").await, 0);
    for wrong in NOBODYS {
        let told = person::told(company, &new, wrong).await;
        assert!([0, 2].contains(&told.code), "`{wrong}`: {}", told.err);
    }
    assert!(company.count_of("requests").await > 25, "most are taken in");
    for wrong in TWO {
        person::told(company, &new, wrong).await.expect(0);
    }
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    for _ in 0..2 {
        live(&product, &clock, 25.hours()).await;
        estate.mailer.carry_out();
    }
    assert_eq!(estate.everything().await, before);
    let list = company.quietus(&["request", "list", "--state", "ambiguous"]).await.expect(0).out;
    assert_eq!(list.matches("erasure").count(), TWO.len(), "{list}");

    // Who is meant is found, so that this was no idle run.
    person::told(company, &new, &format!("customer_id= {NUMBER} ")).await.expect(0);
    live(&product, &clock, 1.hours()).await;
    estate.mailer.carry_out();
    live(&product, &clock, 25.hours()).await;
    let left = estate.of_grace().await;
    assert!(left.len() == 1 && left[0].starts_with("crm.orders: 11|"), "{left:?}");
    assert!(!estate.mailer.holds().contains(&GRACE.to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_erased_by_a_confused_request_with_customers_in_postgresql() {
    nobody_is_erased(USUAL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_erased_by_a_confused_request_with_customers_in_mariadb() {
    let kinds = Kinds { crm: Kind::MariaDb, billing: Kind::Sqlite, desk: Kind::Postgres };
    nobody_is_erased(kinds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_erased_by_a_confused_request_with_customers_in_sqlite() {
    let kinds = Kinds { crm: Kind::Sqlite, billing: Kind::Postgres, desk: Kind::MariaDb };
    nobody_is_erased(kinds).await;
}
