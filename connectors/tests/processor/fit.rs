//! Whether what a user has written fits a definition: told without secrets and without a connection,
//! everything at once.

use quietus_connectors::processor::{Definition, Written, library};

fn misfits(name: &str, written: &Written<'_>) -> Vec<String> {
    let definition = Definition::read(library::definition(name).unwrap()).unwrap();
    definition.misfits(written).iter().map(ToString::to_string).collect()
}

fn zendesk<'a>(more: &[(&'a str, Option<&'a str>)]) -> Written<'a> {
    let mut parameters = std::collections::BTreeMap::from([
        ("subdomain", Some("shop")),
        ("login", Some("staff@shop.example")),
        ("api_token", None),
    ]);
    parameters.extend(more.iter().copied());
    Written { parameters, identities: vec!["email"], ..Written::default() }
}

#[test]
fn what_fits_is_not_told() {
    assert_eq!(misfits("zendesk", &zendesk(&[])), Vec::<String>::new());
    // A default is taken, and a value that is only known at run time is believed.
    let written = Written {
        parameters: [("access_token", None), ("host", None)].into_iter().collect(),
        identities: vec!["email", "intercom_contact_id"],
        ..Written::default()
    };
    assert_eq!(misfits("intercom", &written), Vec::<String>::new());
}

#[test]
fn everything_that_does_not_fit_is_told_at_once_and_no_value_is_repeated() {
    let mut written = zendesk(&[
        ("subdomain", Some("evil.example/")),
        ("api_token", Some("in-the-open-1234")),
        ("tokn", None),
    ]);
    written.parameters.remove("login");
    written.identities.push("msisdn");
    let told = misfits("zendesk", &written);
    assert_eq!(
        told,
        [
            "the definition `zendesk` has no parameter `tokn`: it takes `api_token`, `login`, `subdomain`",
            "the parameter `login` is missing: mail address of a staff account that may delete end users",
            "the parameter `subdomain` has to be letters, digits and `-`: the part before .zendesk.com",
            "the secret `api_token` stands here in plain: write where it is found, and change it: it has been in this file",
            "the definition `zendesk` understands no `msisdn`: it understands `zendesk_user_id`, `email`",
        ]
    );
    assert!(!told.join("").contains("in-the-open") && !told.join("").contains("evil"));
}

#[test]
fn hosts_are_looked_at_as_far_as_they_are_known() {
    let at = |address: &'static str, private: &[&str]| Written {
        address: Some(Some(address)),
        private_hosts: private.iter().map(|host| (*host).to_owned()).collect(),
        ..zendesk(&[])
    };
    for (written, expected) in [
        (at("http://127.0.0.1:9801", &["127.0.0.1:9801"]), ""),
        (at("https://desk.example", &[]), ""),
        (at("http://desk.example", &[]), "may only be spoken to over https"),
        (at("https://127.0.0.1:9801", &[]), "has a private address"),
        (at("https://desk.example/?a=1", &[]), "has a query"),
        (at("https://me:secret@desk.example", &[]), "holds a user name"),
        (at("https://", &[]), "cannot be read"),
        (at("http://127.0.0.1:9801", &["127.0.0.1:9802"]), "`127.0.0.1:9802`"),
    ] {
        let told = misfits("zendesk", &written).join("\n");
        assert_eq!(told.is_empty(), expected.is_empty(), "{:?}: {told}", written.address);
        assert!(told.contains(expected) && !told.contains("secret"), "{told}");
    }
    let idle = Written { private_hosts: vec!["10.0.0.1:443".to_owned()], ..zendesk(&[]) };
    let told = misfits("zendesk", &idle).join("\n");
    assert!(told.contains("nothing is ever sent to `10.0.0.1:443`"), "{told}");
    assert!(told.contains("it speaks to `shop.zendesk.com:443`"), "{told}");
    // Nothing is guessed about an address that only the environment knows.
    let elsewhere = Written { address: Some(None), ..idle };
    assert_eq!(misfits("zendesk", &elsewhere), Vec::<String>::new());
}

#[test]
fn each_flaw_of_a_definition_is_told_with_its_place() {
    let text = library::definition("zendesk").unwrap();
    let broken = text
        .replacen("documentation: https://", "documentation: see ", 1)
        .replacen("GET /api/v2/users/me", "FETCH /api/v2/users/me", 1)
        .replacen("{email|quoted}", "{mail|quoted}", 1)
        .replacen("shape: label", "shape: label\n    default: \"?\"", 1);
    let flaws = Definition::examine(&broken).unwrap_err();
    let paths: Vec<&str> = flaws.iter().map(|flaw| flaw.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "documentation",
            "parameters.subdomain",
            "check.send",
            "identities[1].resolve[0].query.query"
        ]
    );
    assert!(flaws.iter().all(|flaw| flaw.place.is_none() && flaw.message.contains('`')));
    let unknown = text.replacen("vendor:", "vender:", 1);
    let flaws = Definition::examine(&unknown).unwrap_err();
    let line = unknown.lines().position(|line| line.starts_with("vender:")).unwrap() + 1;
    assert_eq!(flaws.len(), 1);
    assert_eq!(flaws[0].place.map(|(line, _)| line as usize), Some(line), "{flaws:?}");
}
