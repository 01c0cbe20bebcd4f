//! Tests of `connector list` and `connector show`: what people read, and that what they are given
//! to start from is understood.

use serde_json::Value;

use super::*;

fn all() -> Vec<Described> {
    library::names().into_iter().map(|name| described(name, Path::new(".")).unwrap()).collect()
}

#[test]
fn the_list_tells_what_each_vendor_needs_and_leaves() {
    let all = all();
    assert_eq!(all.len(), 10);
    let text: Vec<String> = all.iter().map(Described::summary).collect();
    insta::assert_snapshot!(text.join("\n\n"));
    for one in &all {
        let json = one.json();
        let secrets = json["parameters"].as_array().unwrap().iter();
        assert!(secrets.filter(|one| one["secret"] == true).count() >= 1, "{json:#}");
        assert!(!json["residues"].as_array().unwrap().is_empty(), "{json:#}");
    }
}

#[test]
fn a_definition_is_shown_with_a_file_to_start_from() {
    let stripe = described("stripe", Path::new(".")).unwrap();
    let page = stripe.page();
    let end = page.find("# Read at ").unwrap();
    insta::assert_snapshot!(&page[..end]);
    assert!(page.ends_with(library::definition("stripe").unwrap()));
}

#[test]
fn own_definitions_are_shown_and_names_that_are_not_known_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = library::definition("mailchimp").unwrap();
    std::fs::write(folder.path().join("own.yaml"), text).unwrap();
    let own = described("./own.yaml", folder.path()).unwrap();
    assert!(own.example().contains("definition: ./own.yaml\n"), "{}", own.example());
    let unknown = described("strip", folder.path()).map(|_| ()).unwrap_err();
    assert!(unknown.contains("did you mean `stripe`?"), "{unknown}");
    let missing = described("./none.yaml", folder.path()).map(|_| ()).unwrap_err();
    assert!(missing.contains("it is not there"), "{missing}");
    std::fs::write(folder.path().join("own.yaml"), text.replacen("vendor:", "vender:", 1)).unwrap();
    let broken = described("./own.yaml", folder.path()).map(|_| ()).unwrap_err();
    assert!(broken.contains("line ") && broken.contains("vender"), "{broken}");
}

#[test]
fn a_vendor_that_calls_back_is_shown_with_where_it_calls_and_what_it_proves() {
    let text = library::definition("segment").unwrap();
    let text = text.replacen(
        "parameters:\n",
        "parameters:\n  hook: { about: the secret of callbacks, secret: true }\n",
        1,
    );
    let proof = "callback:
  authentication:
    hmac:
      key: \"{hook}\"
      header: X-Signature
      over: \"{timestamp}.{body}\"
      encoding: hex
      timestamp: { header: X-Sent-At, tolerance_seconds: 300 }
  reference: /data/regulateId
";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.yaml"), format!("{text}{proof}")).unwrap();
    let own = described("./own.yaml", folder.path()).unwrap();
    let summary = own.summary();
    for part in
        ["calls back  known by a signature in `X-Signature`", "300 seconds", "hook (secret)"]
    {
        assert!(summary.contains(part), "`{part}` in\n{summary}");
    }
    let example = own.example();
    for part in ["https://HOST/v1/callbacks/segment", "# hook: env:SEGMENT_HOOK", "left out"] {
        assert!(example.contains(part), "`{part}` in\n{example}");
    }
    assert_eq!(own.json()["callback"]["reference"], "/data/regulateId");
    assert_eq!(described("segment", folder.path()).unwrap().json()["callback"], Value::Null);
    let simple = "callback:
  authentication: { header: { name: X-Token, value: \"{hook}\" } }
  reference: /data/regulateId
";
    std::fs::write(folder.path().join("own.yaml"), format!("{text}{simple}")).unwrap();
    let own = described("./own.yaml", folder.path()).unwrap();
    assert!(own.summary().contains("known by a secret in `X-Token`"), "{}", own.summary());
}
