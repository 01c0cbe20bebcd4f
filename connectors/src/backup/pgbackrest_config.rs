//! What pgBackRest's configuration file says of how long backups are kept. The tool has no command
//! that tells it.

use std::collections::BTreeMap;
use std::path::Path;

use super::StoreRetention;

/// Where the tool looks if it is told nothing; the second is that of old versions.
const USUAL: [&str; 2] = ["/etc/pgbackrest/pgbackrest.conf", "/etc/pgbackrest.conf"];
/// Largest file that is read, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// What a file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Retention {
    /// No word of it: whoever runs `expire` may give it on the command line.
    Nothing,
    /// How long full backups are kept.
    Rules(StoreRetention),
}

/// Reads the retention of a stanza in a repository.
///
/// # Errors
/// Where the file cannot be read, or says what cannot be; in words.
pub(super) async fn retention(
    config: Option<&Path>,
    stanza: &str,
    repository: &str,
) -> Result<Retention, String> {
    let usual = || USUAL.iter().map(Path::new).find(|path| path.exists());
    let Some(path) = config.or_else(usual) else { return Ok(Retention::Nothing) };
    let failed = |why: std::io::ErrorKind| {
        format!(
            "the configuration of pgBackRest cannot be read ({why}): let this account read it, or \
             say in the data map how long copies are kept"
        )
    };
    let size = tokio::fs::metadata(path).await.map_err(|error| failed(error.kind()))?.len();
    if size > MOST_BYTES {
        return Err("the configuration of pgBackRest is larger than 1 MiB".to_owned());
    }
    let text = tokio::fs::read_to_string(path).await.map_err(|error| failed(error.kind()))?;
    of_text(&text, stanza, repository)
}

fn of_text(text: &str, stanza: &str, repository: &str) -> Result<Retention, String> {
    let sections = sections(text);
    // The most particular word counts.
    let places = [format!("{stanza}:expire"), stanza.to_owned(), "global:expire".to_owned()];
    let value = |name: &str| {
        let key = format!("repo{repository}-retention-{name}");
        let places = places.iter().map(String::as_str).chain(["global"]);
        let mut said = places.filter_map(|place| sections.get(place)?.get(&key).cloned());
        said.next()
    };
    let Some(full) = value("full") else { return Ok(Retention::Nothing) };
    let full: u32 = full
        .parse()
        .map_err(|_| format!("`repo{repository}-retention-full` of pgBackRest is no number"))?;
    let mut rules = StoreRetention::default();
    match value("full-type").as_deref() {
        None | Some("count") => rules.last = Some(full),
        Some("time") => rules.within = Some(format!("P{full}D")),
        Some(_) => {
            return Err(format!(
                "`repo{repository}-retention-full-type` of pgBackRest is neither `count` nor `time`"
            ));
        }
    }
    Ok(Retention::Rules(rules))
}

/// Keys and values by section.
fn sections(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut section = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.trim().clone_into(&mut section);
        } else if let Some((key, value)) = line.split_once('=') {
            let entry = (key.trim().to_owned(), value.trim().to_owned());
            sections.entry(section.clone()).or_default().extend([entry]);
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[global]\n# repo1-retention-full=9\nrepo1-retention-full=2\n\
                        repo2-retention-full = 30\nrepo2-retention-full-type=time\n\
                        [shop]\npg1-path=/data\n[news]\nrepo1-retention-full=4\n\
                        [news:expire]\nrepo1-retention-full=5\n[odd]\nrepo1-retention-full=many\n";

    fn rules(stanza: &str, repository: &str) -> Result<Retention, String> {
        of_text(TEXT, stanza, repository)
    }

    #[test]
    fn the_most_particular_word_counts() {
        let last = |last| {
            Ok(Retention::Rules(StoreRetention { last: Some(last), ..StoreRetention::default() }))
        };
        assert_eq!(rules("shop", "1"), last(2));
        assert_eq!(rules("news", "1"), last(5));
        let within = Some("P30D".to_owned());
        let within = StoreRetention { within, ..StoreRetention::default() };
        assert_eq!(rules("news", "2"), Ok(Retention::Rules(within)));
        assert_eq!(rules("shop", "3"), Ok(Retention::Nothing));
        assert!(rules("odd", "1").is_err());
    }
}
