//! Which cosignatures are enough (C2SP tlog-policy): logs, witnesses, groups and the quorum.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::cosignature::{Cosigner, LOG_TYPE, VerifierKey};

/// Largest policy that is read, in bytes.
const POLICY_BYTES: usize = 1024 * 1024;

/// Most lines of one kind.
const MOST_NAMES: usize = 1000;

/// The quorum that asks for nobody.
const NONE: &str = "none";

/// Why bytes are no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct PolicyError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// A witness as a policy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// Its name in this file.
    pub name: String,
    /// Its key.
    pub cosigner: Cosigner,
    /// Where it is asked.
    pub url: Option<String>,
}

/// A group of witnesses and groups, and how many of them are enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyGroup {
    /// Its name in this file.
    pub name: String,
    /// So many are enough.
    pub enough: usize,
    /// Names of witnesses and groups.
    pub members: Vec<String>,
}

/// A policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Keys of logs.
    pub logs: Vec<VerifierKey>,
    /// Witnesses.
    pub witnesses: Vec<PolicyWitness>,
    /// Groups, each after its members.
    pub groups: Vec<PolicyGroup>,
    /// Name of the witness or group that has to have signed; `None` asks for nobody.
    pub quorum: Option<String>,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// Where a line cannot be read, with its number.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let whole = |why: &str| PolicyError { line: 1, why: why.to_owned() };
        if bytes.len() > POLICY_BYTES {
            return Err(whole("the file is too large"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| whole("the file is not UTF-8"))?;
        let mut policy = Self::default();
        let mut quorum = None;
        for (number, line) in (1..).zip(text.split('\n')) {
            let wrong = |why: String| PolicyError { line: number, why };
            if line.contains(|one: char| one.is_control() && one != '\t') {
                return Err(wrong("control characters are not allowed".to_owned()));
            }
            let words: Vec<&str> =
                line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            match words.as_slice() {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["log", rest @ ..] => policy.add_log(rest).map_err(wrong)?,
                ["witness", rest @ ..] => policy.add_witness(rest).map_err(wrong)?,
                ["group", rest @ ..] => policy.add_group(rest).map_err(wrong)?,
                ["quorum", name] => {
                    if quorum.is_some() {
                        return Err(wrong("there is one quorum only".to_owned()));
                    }
                    if *name != NONE && !policy.knows(name) {
                        return Err(wrong(format!("`{name}` is not defined above")));
                    }
                    quorum = Some((*name).to_owned());
                }
                [first, ..] => return Err(wrong(format!("`{first}` is not understood here"))),
            }
        }
        let Some(quorum) = quorum else { return Err(whole("there is no `quorum` line")) };
        policy.quorum = (quorum != NONE).then_some(quorum);
        Ok(policy)
    }

    fn knows(&self, name: &str) -> bool {
        self.witnesses.iter().any(|one| one.name == name)
            || self.groups.iter().any(|one| one.name == name)
    }

    fn add_log(&mut self, words: &[&str]) -> Result<(), String> {
        let ([key] | [key, _]) = words else {
            return Err("write `log KEY`".to_owned());
        };
        let key = VerifierKey::parse(key).map_err(|error| error.to_string())?;
        if self.logs.iter().any(|one| one.key == key.key) || self.logs.len() == MOST_NAMES {
            return Err("this log is named twice".to_owned());
        }
        self.logs.push(key);
        Ok(())
    }

    fn new_name(&self, name: &str) -> Result<String, String> {
        if name == NONE || self.knows(name) {
            return Err(format!("the name `{name}` is taken"));
        }
        if self.witnesses.len() + self.groups.len() >= MOST_NAMES {
            return Err("there are too many names".to_owned());
        }
        Ok(name.to_owned())
    }

    fn add_witness(&mut self, words: &[&str]) -> Result<(), String> {
        let (name, key, url) = match words {
            [name, key] => (name, key, None),
            [name, key, url] => (name, key, Some((*url).to_owned())),
            _ => return Err("write `witness NAME KEY`".to_owned()),
        };
        let name = self.new_name(name)?;
        let cosigner = Cosigner::parse(key).map_err(|error| error.to_string())?;
        if self.witnesses.iter().any(|one| one.cosigner.key() == cosigner.key()) {
            return Err("this witness is named twice".to_owned());
        }
        self.witnesses.push(PolicyWitness { name, cosigner, url });
        Ok(())
    }

    fn add_group(&mut self, words: &[&str]) -> Result<(), String> {
        let [name, enough, members @ ..] = words else {
            return Err("write `group NAME all|any|NUMBER NAME...`".to_owned());
        };
        let name = self.new_name(name)?;
        let enough = match *enough {
            "any" => 1,
            "all" => members.len(),
            number => number
                .parse()
                .ok()
                .filter(|read: &usize| read.to_string() == number)
                .ok_or_else(|| format!("`{number}` is neither `all`, `any` nor a number"))?,
        };
        if enough == 0 || enough > members.len() {
            return Err(format!("{enough} of {} can never be", members.len()));
        }
        for member in members {
            if !self.knows(member) {
                return Err(format!("`{member}` is not defined above"));
            }
            let taken = |group: &PolicyGroup| group.members.iter().any(|one| one == member);
            let twice = members.iter().filter(|one| *one == member).count() > 1;
            if twice || self.groups.iter().any(taken) {
                return Err(format!("`{member}` is a member already"));
            }
        }
        let members = members.iter().map(|one| (*one).to_owned()).collect();
        self.groups.push(PolicyGroup { name, enough, members });
        Ok(())
    }

    /// Whether the signatures of these witnesses, by their names here, are enough.
    pub fn is_met_by(&self, signed: &BTreeSet<&str>) -> bool {
        let Some(quorum) = &self.quorum else { return true };
        let mut met: BTreeMap<&str, bool> = self
            .witnesses
            .iter()
            .map(|one| (one.name.as_str(), signed.contains(one.name.as_str())))
            .collect();
        for group in &self.groups {
            let count = group
                .members
                .iter()
                .filter(|one| met.get(one.as_str()).copied().unwrap_or(false))
                .count();
            met.insert(&group.name, count >= group.enough);
        }
        met.get(quorum.as_str()).copied().unwrap_or(false)
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for log in &self.logs {
            writeln!(formatter, "log {log}")?;
        }
        for witness in &self.witnesses {
            write!(formatter, "witness {} {}", witness.name, witness.cosigner.verifier_key())?;
            match &witness.url {
                Some(url) => writeln!(formatter, " {url}")?,
                None => formatter.write_char('\n')?,
            }
        }
        for PolicyGroup { name, enough, members } in &self.groups {
            writeln!(formatter, "group {name} {enough} {}", members.join(" "))?;
        }
        writeln!(formatter, "quorum {}", self.quorum.as_deref().unwrap_or(NONE))
    }
}

/// The key of a log, where a verifier key is one of a log's own signatures.
pub fn is_log_key(key: &VerifierKey) -> bool {
    key.kind == LOG_TYPE && key.key.len() == 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosignature::CosignatureKind;

    fn key(number: u8) -> String {
        Cosigner::new("witness.example/w", CosignatureKind::Ed25519, &[number; 32])
            .expect("cosigner")
            .verifier_key()
            .to_string()
    }

    fn two_levels() -> String {
        let mut text = String::from("# who has to have signed\n\n");
        for (number, name) in (1..).zip(["X1", "X2", "X3", "Y1", "Y2"]) {
            writeln!(text, "witness\t{name} {}", key(number)).expect("text");
        }
        text + "group X 2 X1 X2 X3\ngroup Y any Y1 Y2\n group both all X Y \nquorum both\n"
    }

    #[test]
    fn a_quorum_of_two_levels_is_met_by_just_those_who_are_enough() {
        let policy = Policy::parse(two_levels().as_bytes()).expect("policy");
        for (signed, met) in [
            (&["X1", "X2", "Y1"][..], true),
            (&["X1", "X3", "Y2"], true),
            (&["X1", "X2"], false),
            (&["X1", "Y1", "Y2"], false),
            (&[], false),
        ] {
            assert_eq!(policy.is_met_by(&signed.iter().copied().collect()), met, "{signed:?}");
        }
        let again = policy.to_string();
        assert_eq!(Policy::parse(again.as_bytes()).expect("written policy"), policy);
    }

    #[test]
    fn nobody_is_asked_for_only_where_the_file_says_so() {
        assert!(Policy::parse(b"quorum none\n").expect("policy").is_met_by(&BTreeSet::new()));
        assert!(Policy::parse(b"").is_err());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let (one, two) = (key(1), key(2));
        for (text, line) in [
            (format!("witness a {one}\nwitness b {one}\nquorum a\n"), 2),
            (format!("witness a {one}\nwitness a {two}\nquorum a\n"), 2),
            (format!("witness none {one}\nquorum none\n"), 1),
            (format!("witness a {one}\ngroup g 2 a\nquorum g\n"), 2),
            (format!("witness a {one}\ngroup g 0 a\nquorum g\n"), 2),
            (format!("witness a {one}\ngroup g 01 a\nquorum g\n"), 2),
            (format!("witness a {one}\ngroup g all a a\nquorum g\n"), 2),
            (format!("witness a {one}\ngroup g all a\ngroup h all a\nquorum g\n"), 3),
            ("group g any a\nquorum g\n".to_owned(), 1),
            ("quorum a\n".to_owned(), 1),
            ("quorum none\nquorum none\n".to_owned(), 2),
            ("\nwitness a b\nquorum none\n".to_owned(), 2),
            ("quorum none\r\n".to_owned(), 1),
            ("quorom none\n".to_owned(), 1),
        ] {
            assert_eq!(Policy::parse(text.as_bytes()).expect_err(&text).line, line, "{text}");
        }
    }
}
