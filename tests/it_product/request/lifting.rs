//! Lifting ends what the person's request imposed, and never what a law keeps restricted.

use super::person;
use crate::company::identifier_in;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_law_keeps_restricted_stays_so_when_the_persons_restriction_is_lifted() {
    let company = person::company("").await;
    // Her erasure leaves two invoices, restricted until the tax office needs them no longer.
    person::brought(&company, "erasure", "email=grace@mail.example\n").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let invoices = ["11|~|~|Grace Example|1", "13|~|~|Grace Example|1"];
    assert_eq!(person::orders(&company).await[..2], invoices);
    assert_eq!(person::customers(&company).await[0], "1|erased|~|0");
    // Then she has everything restricted, by her number: her customer's record and, once more, one
    // of the invoices.
    person::brought(&company, "restriction", "customer_id=1\n").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::customers(&company).await[0], "1|erased|~|1");
    assert_eq!(person::orders(&company).await[..2], invoices);

    let lifting = person::brought(&company, "lifting", "customer_id=1\n").await;
    company.quietus(&["run", "--once"]).await;
    let letters = company.quietus(&["letter", "list", &lifting]).await.expect(0);
    let notice = letters.out.lines().find(|line| line.contains("lifting")).unwrap();
    let notice = identifier_in(notice);
    let how = ["--how", "hand", "--by", "Ada Example"];
    company.quietus(&[&["letter", "delivered", &notice][..], &how].concat()).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::customers(&company).await[0], "1|erased|~|0", "what she imposed is lifted");
    assert_eq!(person::orders(&company).await[..2], invoices, "what the law imposed is not");
}
