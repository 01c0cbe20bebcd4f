//! What stamped the log ages: an alarm in time, a newer stamp over the newest head, and tokens whose
//! certificate has expired since.

use super::{anchor, authority, company, export, states, step};

#[tokio::test(flavor = "multi_thread")]
async fn what_ages_raises_an_alarm_and_is_renewed_by_somebody_who_is_sound_for_longer() {
    let company = company().await;
    let aging = authority(&company, "aging", "");
    anchor(&company, &aging, "", "");
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(states(&company).await, ["anchored"]);
    // Thirty days are left, and ninety are wanted.
    let listed = company.quietus(&["anchor", "list"]).await.expect(1).out;
    assert!(listed.contains("what `aging` stamped is not sound for much longer"), "{listed}");
    assert!(listed.contains("no time stamp over the log is sound for long"), "{listed}");
    let before = company.count_of("time_stamps").await;
    company.quietus(&["anchor", "now"]).await.expect(0);
    assert_eq!(company.count_of("time_stamps").await, before, "it is asked once a day, no more");

    let both = aging + &authority(&company, "rsa", "");
    anchor(&company, &both, "", "  renew_before: P20D\n");
    company.quietus(&["anchor", "list"]).await.expect(1);
    company.quietus(&["run", "--once"]).await.expect(0);
    company.quietus(&["anchor", "list"]).await.expect(0);
    // The first certificate rests on the newer stamp too.
    let first =
        company.store_rows("SELECT lower(hex(id)) FROM certificates ORDER BY issued_at").await;
    let first = uuid::Uuid::parse_str(&first[0]).unwrap().to_string();
    let folder = export(&company, &first, "first").await;
    assert!(company.path("first/anchor-renewed.checkpoint").exists());
    let verified = company.quietus(&["verify", &folder]).await.expect(0);
    assert!(verified.out.contains("Other parties bear witness"), "{}", verified.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_outlives_the_certificate_that_signed_it() {
    let company = company().await;
    anchor(&company, &authority(&company, "aging", ""), "", "");
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(step(&company, "time", false).await.0, "PASS");
    let text = company.read("latest/VERIFY.txt");
    let line = text.lines().map(str::trim).find(|line| line.starts_with("openssl ts")).unwrap();
    let ask = async |command: &str| {
        let mut shell = tokio::process::Command::new("sh");
        let ended = shell.args(["-c", command]).current_dir(company.path("latest")).output().await;
        ended.unwrap().status.success()
    };
    assert!(ask(line).await, "as of the moment that it names");
    let (command, _) = line.split_once("-attime").unwrap();
    // In 2030 the certificate has expired, and openssl asked as of then says so.
    assert!(!ask(&format!("{command} -attime 1893456000")).await);
}
