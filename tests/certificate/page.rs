//! The HTML page checks itself in a real browser: PASS for a good bundle, FAIL for each part that
//! was changed, and NOT RUN where its script was changed, so that the browser does not run it.

use std::process::Command;

use super::fixture::{complete, issue};
use super::samples::{Printed, printed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The browser; `None` where there is none, which is said aloud.
fn browser() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        Command::new(name).arg("--version").output().is_ok_and(|it| it.status.success())
    });
    if found.is_none() {
        eprintln!("NOT RUN: no chromium here, so no page was opened in a browser");
    }
    found
}

/// The document after its script has run.
fn opened(browser: &str, page: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("certificate.html");
    std::fs::write(&file, page).expect("written");
    let output = Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("the browser starts");
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(dom.contains("</html>"), "{}", String::from_utf8_lossy(&output.stderr));
    dom
}

/// The finding of the page as a whole.
fn finding(dom: &str) -> &str {
    let rest = dom.split_once("data-check=\"").expect("a finding").1;
    rest.split_once('"').expect("a finding").0
}

fn page(one: &Printed) -> String {
    String::from_utf8(one.files["certificate.html"].clone()).expect("text")
}

/// The page with an embedded file replaced by a changed one.
fn with_file(page: &str, name: &str, change: impl FnOnce(String) -> String) -> String {
    let start = format!("<a download=\"{name}\" href=\"data:application/octet-stream;base64,");
    let (before, rest) = page.split_once(&start).expect("the file is in the page");
    let (encoded, after) = rest.split_once('"').expect("the link ends");
    let content = STANDARD.decode(encoded).expect("base64");
    let changed = change(String::from_utf8(content).expect("text"));
    format!("{before}{start}{}\"{after}", STANDARD.encode(changed))
}

/// Changes the first letter of a value in JSON or base64 to another.
fn with_value(text: &str, key: &str) -> String {
    let start = format!("\"{key}\":\"");
    let (before, rest) = text.split_once(&start).unwrap_or_else(|| panic!("no `{key}` in {text}"));
    // Not the first character: some first bytes say of which kind a value is.
    let place = 13.min(rest.find('"').expect("the value ends") / 2);
    let old = rest.as_bytes()[place];
    let new = if old == b'A' { 'B' } else { 'A' };
    format!("{before}{start}{}{new}{}", &rest[..place], &rest[place + 1..])
}

#[test]
fn a_good_page_says_pass_in_every_language() {
    let Some(browser) = browser() else { return };
    for one in printed() {
        let dom = opened(browser, &page(one));
        assert_eq!(finding(&dom), "PASS", "{}: {dom}", one.sample.name);
        let open = dom.matches("class=\"unchecked\"").count();
        assert_eq!(open, 4, "keys, time, status and witnesses are not checked: {dom}");
        assert_eq!(dom.matches("class=\"pass\"").count(), 7, "{dom}");
    }
}

#[test]
fn a_page_with_any_changed_part_says_fail() {
    let Some(browser) = browser() else { return };
    let good = page(&printed()[0]);
    let bundle = "certificate.sigstore.json";
    let changed = ["payload", "sig", "canonicalizedBody", "rootHash", "treeSize"];
    for key in changed {
        let page = with_file(&good, bundle, |text| with_value(&text, key));
        assert_eq!(finding(&opened(browser, &page)), "FAIL", "{key} was changed");
    }
    let issued = &printed()[0].sample.issued;
    let other = issue(complete(), 2, 1);
    let path = with_file(&good, bundle, |text| {
        let hash = STANDARD.encode(issued.read.inclusion.path[0].0);
        text.replacen(&hash, &STANDARD.encode([0_u8; 32]), 1)
    });
    let head =
        with_file(&good, bundle, |text| text.replace("\\n\\n\u{2014} ", "\\n \\n\\n\u{2014} "));
    let root = with_file(&good, "trusted_root.json", |_| text_of(&other.trusted_root));
    let key = with_file(&good, "issuer.pub.pem", |_| text_of(&other.issuer_key));
    let counts = with_file(&good, "manifest.json", |text| text.replacen("5231", "5232", 1));
    let words = good.replacen(
        &format!("data-certificate=\"{}", &sample_id(&good)[..8]),
        "data-certificate=\"11111111",
        1,
    );
    let none = with_file(&good, bundle, |_| "{}".to_owned());
    for (page, what) in [
        (path, "path"),
        (head, "head"),
        (root, "root"),
        (key, "key"),
        (counts, "counts"),
        (words, "words"),
        (none, "bundle"),
    ] {
        assert_ne!(page, good, "{what}: nothing was changed");
        assert_eq!(finding(&opened(browser, &page)), "FAIL", "{what} was changed");
    }
}

fn sample_id(page: &str) -> String {
    let rest = page.split_once("data-certificate=\"").expect("an identifier").1;
    rest.split_once('"').expect("an identifier").0.to_owned()
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn a_page_whose_script_was_changed_does_not_run_it() {
    let Some(browser) = browser() else { return };
    let good = page(&printed()[0]);
    let forged = good.replacen("'use strict';", "'use strict'; /* mine */", 1);
    assert_ne!(forged, good);
    let dom = opened(browser, &forged);
    assert_eq!(finding(&dom), "NOT RUN");
    assert!(dom.contains("This page has not checked itself"), "{dom}");
}

#[test]
fn a_page_names_its_script_and_lets_nothing_else_in() {
    for one in printed() {
        let page = page(one);
        let policy = page.split_once("Content-Security-Policy\" content=\"").expect("a policy");
        let policy = policy.1.split_once('"').expect("a policy").0;
        assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert!(!page.contains(" style=") && !page.contains(" onclick="), "inline code");
        let tag = format!("<html lang=\"{}\">", one.language.tag());
        assert!(page.contains(&tag) && page.contains("<h1>"), "{tag}");
        // Where no script runs, this is what stands there.
        assert_eq!(finding(&page), "NOT RUN");
        let unrun = page.split_once("id=\"check-overall\"").expect("a place").1;
        assert!(unrun.contains("WebCrypto") && !unrun.starts_with(" hidden"), "{tag}");
    }
}

/// What the page leaves to others stands in it in plain words, in every language.
#[test]
fn a_page_says_in_every_language_what_it_does_not_check() {
    use quietus::evidence::print::Language;
    for one in printed() {
        let words = match one.language {
            Language::English => [
                "NOT CHECKED",
                "When it was signed: no time stamp is here",
                "Whether a later certificate supersedes this one: ask the issuer",
                "no signature of a witness is here",
            ],
            Language::German => [
                "NICHT GEPRÜFT",
                "Wann signiert wurde: Hier ist kein Zeitstempel",
                "Ob eine spätere Bescheinigung diese ersetzt: Fragen Sie den Aussteller",
                "Hier ist keine Signatur eines Zeugen",
            ],
            Language::Chinese => [
                "未核验",
                "何时签名：此处无时间戳",
                "是否有后来的证明取代本证明：请询问签发方",
                "此处无见证方的签名",
            ],
        };
        let page = page(one);
        for said in words {
            assert!(page.contains(said), "{}: {said}", one.sample.name);
        }
    }
}
