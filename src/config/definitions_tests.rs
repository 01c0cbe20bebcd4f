//! Tests of definitions that systems name: read with the folder, told with their place, and kept.

use super::third_party::DESK;
use super::*;

const ZENDESK: &str = r"system: helpdesk
kind: processor
role: processor
owner: Support
operator: Zendesk
definition: zendesk
parameters:
  subdomain: shop
  login: staff@shop.example
  api_token: env:HELPDESK_TOKEN
persons:
  categories: [account.contact]
  identities: [email]
";

const OWN: &str = r"system: desk
kind: processor
owner: Support
operator: Example Desk Inc
definition: ./definitions/desk.yaml
persons: {categories: [account.contact], identities: [email]}
";

/// The starting folder with one more system and a definition of one's own.
fn loaded(system: &str, definition: &str) -> Result<Loaded, String> {
    let mut files = start();
    files.push(("systems/more.yaml", system));
    files.push(("definitions/desk.yaml", definition));
    let folder = folder(&files);
    load(folder.path()).map_err(|problems| report::short(&problems))
}

fn changed_to(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "`{from}` is not there");
    text.replacen(from, to, 1)
}

#[test]
fn what_does_not_fit_a_definition_is_told_where_it_stands() {
    assert_eq!(loaded(ZENDESK, DESK).unwrap().warnings.found, []);
    // Where nobody can say what is secret, a name that sounds so is taken for it.
    let lost = ZENDESK.replacen("zendesk\n", "zendesc\n", 1).replacen("env:HELP", "HELP", 1);
    let told = loaded(&lost, DESK).map(|_| ()).unwrap_err();
    assert!(told.contains("the secret `api_token` stands here in plain"), "{told}");
    assert!(!told.contains("HELPDESK_TOKEN"), "{told}");
    for (from, to, expected) in [
        (
            "zendesk\n",
            "zendesc\n",
            "more.yaml:6:13: error: no definition `zendesc` comes with quietus (did you mean `zendesk`?",
        ),
        (
            "  login: staff@shop.example\n",
            "",
            "more.yaml:8:3: error: the parameter `login` is missing (add `login: …` under `parameters`: mail address",
        ),
        (
            "  api_token: env:HELPDESK_TOKEN\n",
            "",
            "error: the parameter `api_token` is missing (add `api_token: env:NAME` under",
        ),
        (
            "subdomain:",
            "subdomian:",
            "more.yaml:8:3: error: the definition `zendesk` has no parameter `subdomian` (did you mean `subdomain`?",
        ),
        (
            "subdomain: shop",
            "subdomain: shop.zendesk.com",
            "more.yaml:8:14: error: the parameter `subdomain` has to be letters, digits and `-`",
        ),
        (
            "login: staff@shop.example",
            "login: staff",
            "more.yaml:9:10: error: the parameter `login` has to be a mail address",
        ),
        (
            "env:HELPDESK_TOKEN",
            "0123456789",
            "more.yaml:10:14: error: the secret `api_token` stands here in plain",
        ),
        (
            "[email]",
            "[email, customer_id]",
            "more.yaml:13:23: error: the definition `zendesk` understands no `customer_id` (it understands `zendesk_user_id`, `email`",
        ),
        (
            "parameters:",
            "connection: {url: \"http://desk.example\"}\nparameters:",
            "more.yaml:7:19: error: `desk.example` may only be spoken to over https",
        ),
        (
            "parameters:",
            "connection: {private_hosts: [\"10.0.0.1:443\"]}\nparameters:",
            "more.yaml:7:30: error: nothing is ever sent to `10.0.0.1:443`",
        ),
    ] {
        let told = loaded(&changed_to(ZENDESK, from, to), DESK).map(|_| ()).unwrap_err();
        let lines: Vec<&str> = told.lines().filter(|line| line.contains(expected)).collect();
        assert_eq!(lines.len(), 1, "expected `{expected}` once in:\n{told}");
        assert!(!told.contains("0123456789"), "{told}");
    }
}

#[test]
fn a_definition_of_ones_own_is_told_like_every_other_file() {
    loaded(OWN, DESK).unwrap();
    for (from, to, expected) in [
        ("vendor: Example", "vender: Example", "definitions/desk.yaml:3:1: error: "),
        (
            "GET /people",
            "FETCH /people",
            "definitions/desk.yaml:13:15: error: `identities[0].resolve[0].send` starts with `FETCH`, which is no method [identities[0].resolve[0].send]",
        ),
        (
            "\"{email}\"",
            "\"{mail}\"",
            "definitions/desk.yaml:14:25: error: `identities[0].resolve[0].query.email` uses `{mail}`, which has no value there (write one of `email`",
        ),
        (
            "        match: { at: /email }\n",
            "",
            "definitions/desk.yaml:13:9: error: `identities[0].resolve[0].match` is missing (write which field",
        ),
        (
            "{id}",
            "{reference}",
            "definitions/desk.yaml:24:15: error: `actions.erase.steps[0].send` uses `{reference}`",
        ),
        ("processor: 1", "processor: [", "definitions/desk.yaml:"),
    ] {
        let told = loaded(OWN, &changed_to(DESK, from, to)).map(|_| ()).unwrap_err();
        assert!(told.contains(expected), "expected `{expected}` in:\n{told}");
    }
    let callback =
        "callback:\n  authentication: { header: { name: X, value: y } }\n  reference: /id\n";
    let told = loaded(OWN, &format!("{DESK}{callback}")).map(|_| ()).unwrap_err();
    assert!(told.contains("desk.yaml:26:1: error: `callback` would wake nobody"), "{told}");
    // Everything at once.
    let broken = changed_to(DESK, "https://desk.example/docs", "nowhere");
    let broken = changed_to(&broken, "GET /me", "GET me");
    let told = loaded(OWN, &broken).map(|_| ()).unwrap_err();
    assert!(told.contains("desk.yaml:5:16: error: `documentation`"), "{told}");
    assert!(told.contains("desk.yaml:19:9: error: `check.send` has the path `me`"), "{told}");
}

#[test]
fn definitions_belong_to_the_data_map() {
    let first = loaded(OWN, DESK).unwrap();
    let names: Vec<&str> = first.map_files.iter().map(|(name, _)| name.as_str()).collect();
    let files = ["example.yaml", "more.yaml", "definition/./definitions/desk.yaml"];
    assert_eq!(names, [&["quietus.built-in.yaml"], &files[..]].concat());
    let changed = loaded(OWN, &changed_to(DESK, "/people/{id}", "/persons/{id}")).unwrap();
    assert_ne!(first.data_map.digest, changed.data_map.digest, "the definition is part of it");
    let unused = loaded(ZENDESK, DESK).unwrap();
    let other = loaded(ZENDESK, &changed_to(DESK, "Inc", "Ltd")).unwrap();
    assert_eq!(unused.data_map.digest, other.data_map.digest, "what nobody names does not count");
    assert!(unused.map_files.iter().any(|(name, _)| name == "definition/zendesk"));

    // Read again from the record, long after the file has changed.
    let (map, _) = compile(&first.map_files, &first.rule_files, "Europe/Berlin").unwrap();
    assert_eq!(map.digest, first.data_map.digest);
    let text = |map: &DataMap| {
        let name = crate::domain::SystemName::parse("desk").unwrap();
        map.systems[&name].third_party.as_ref().unwrap().definition_text.clone()
    };
    assert_eq!(text(&map).as_deref(), Some(DESK));
    // What was never kept is not taken from elsewhere.
    let without: Vec<(String, Vec<u8>)> =
        first.map_files.iter().filter(|(name, _)| !name.contains('/')).cloned().collect();
    let (map, _) = compile(&without, &first.rule_files, "Europe/Berlin").unwrap();
    assert_eq!(text(&map), None);
}
