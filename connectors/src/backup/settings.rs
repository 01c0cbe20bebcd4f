//! What a connector needs to reach a backup store, and what it may be told beside that.

use std::collections::BTreeMap;
use std::fmt;

use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};

use crate::kinds::Now;
use crate::receipt::Fault;

/// What a connector needs to reach a backup store. Secrets do not print.
#[derive(Clone)]
pub struct BackupSettings {
    /// Name of the store in the data map.
    pub system: String,
    /// Where it is: a repository (`restic`, `borg`), a stanza (`pgbackrest`), the name of a server
    /// (`barman`), a folder (`dumps`), a bucket (`s3`). Never printed, because repositories may hold credentials.
    pub place: SecretString,
    /// What else it is told; [`backup_parameters`] lists the names. Names in capitals
    /// (`AWS_SECRET_ACCESS_KEY`) go to the tool as variables of its environment.
    pub parameters: BTreeMap<String, SecretString>,
    /// The longest time that taking one copy needs: a file that only says when it was finished
    /// holds what was there so long before.
    pub longest_run: SignedDuration,
    /// Where the time comes from: requests are signed at a moment, and locks have ends.
    pub now: Now,
}

impl fmt::Debug for BackupSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BackupSettings")
            .field("system", &self.system)
            .field("parameters", &self.parameters.keys())
            .field("longest_run", &self.longest_run)
            .finish_non_exhaustive()
    }
}

/// Something that a store of a kind may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupParameter {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in words for a person.
    pub about: &'static str,
    /// Its value is a secret.
    pub secret: bool,
    /// The store cannot be opened without it.
    pub required: bool,
}

const fn told(name: &'static str, about: &'static str) -> BackupParameter {
    BackupParameter { name, about, secret: false, required: false }
}

const PROGRAM: BackupParameter = told(
    "program",
    "the tool, where it is not found by its name, or the command that runs it as somebody else: \
     `sudo -n -u postgres pgbackrest`",
);
const OLDER_BY: BackupParameter = told(
    "older_by",
    "how much older what a copy holds can be than the moment that the store tells, such as `PT3H` \
     where it copies dumps that were made three hours before",
);
const TIME_LIMIT: BackupParameter = told(
    "time_limit",
    "how long the tool may take, such as `PT30M`; `PT10M` to read and `PT6H` to remove where \
     nothing is said",
);

const RESTIC: &[BackupParameter] = &[
    BackupParameter {
        name: "password",
        about: "the repository's password",
        secret: true,
        required: true,
    },
    told("host", "only snapshots of this host"),
    told("tags", "only snapshots that have all of these tags, separated by commas"),
    told("paths", "only snapshots that have all of these paths, separated by commas"),
    told(
        "group_by",
        "by what `restic forget` groups snapshots where it is run: `host,paths` if not said, \
         `nothing` for all together",
    ),
    PROGRAM,
    OLDER_BY,
    TIME_LIMIT,
];

const BORG: &[BackupParameter] = &[
    BackupParameter {
        name: "passphrase",
        about: "the repository's passphrase; none for a repository that is not encrypted",
        secret: true,
        required: false,
    },
    told("archives", "only archives whose names match this pattern, such as `shop-*`"),
    told(
        "files",
        "where the repository's own files can be read, such as a read-only mount, if the place is \
         reached over ssh: only they show whether data of deleted archives is left",
    ),
    PROGRAM,
    OLDER_BY,
    TIME_LIMIT,
];

const PGBACKREST: &[BackupParameter] = &[
    told("config", "its configuration file, where it is not where the tool expects it"),
    told("repository", "the number of the repository, `1` where nothing is said"),
    PROGRAM,
    OLDER_BY,
    TIME_LIMIT,
];

const BARMAN: &[BackupParameter] = &[
    told("config", "its configuration file, where it is not where the tool expects it"),
    PROGRAM,
    OLDER_BY,
    TIME_LIMIT,
];

const DUMPS: &[BackupParameter] = &[
    BackupParameter {
        name: "files",
        about: "how the files are called: `shop-%Y-%m-%d.sql.gz` with the moment at which the dump \
                began, as strftime writes it (`%Y %m %d %H %M %S %j %s`), or `shop-*.sql.gz` for \
                files whose time of modification tells when it ended; `*` stands for anything",
        secret: false,
        required: true,
    },
    told("zone", "the time zone of moments in names, such as `Europe/Berlin`; `UTC` if not said"),
    OLDER_BY,
];

const fn secret(name: &'static str, about: &'static str) -> BackupParameter {
    BackupParameter { name, about, secret: true, required: true }
}

const S3: &[BackupParameter] = &[
    secret("access_key", "the access key"),
    secret("secret_key", "the secret of the access key"),
    BackupParameter {
        name: "session_token",
        about: "the token of credentials that are lent for a time",
        secret: true,
        required: false,
    },
    told(
        "endpoint",
        "where the store is, such as `https://s3.example.com`; AWS in the `region` if not said",
    ),
    told("region", "the region for which requests are signed; `us-east-1` if not said"),
    told(
        "addressing",
        "where the bucket's name stands, `path` or `host`; as the endpoint wants it if not said",
    ),
    told(
        "files",
        "what the objects are called below the prefix: `shop-%Y-%m-%d.sql.gz` with the moment at \
         which the backup began (`%Y %m %d %j %H %M %S %s %F %T`), `*` stands for anything; all \
         objects if not said, and without a moment the time of writing tells when it ended",
    ),
    told("zone", "the time zone of moments in names, such as `Europe/Berlin`; `UTC` if not said"),
    told(
        "must_have",
        "what the bucket has to have, of `versions`, `lock`, `life_cycle`, separated by commas: the \
         check-up fails where it has lost one of them",
    ),
    told(
        "private_hosts",
        "hosts with their port that may be spoken to at a private address and without TLS, \
         separated by commas, such as `ceph.example.internal:7480`",
    ),
    told(
        "trust",
        "the certificate of the endpoint's authority as PEM, or the absolute path of its file",
    ),
    OLDER_BY,
];

/// What a store of a kind may be told; nothing for a kind that is not known.
pub fn backup_parameters(kind: &str) -> &'static [BackupParameter] {
    match kind {
        "restic" => RESTIC,
        "borg" => BORG,
        "pgbackrest" => PGBACKREST,
        "barman" => BARMAN,
        "dumps" => DUMPS,
        "s3" => S3,
        _ => &[],
    }
}

/// A name that goes to the tool as a variable of its environment.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|one| one.is_ascii_uppercase() || one.is_ascii_digit() || one == '_')
}

impl BackupSettings {
    /// Refuses what nobody would read, and asks for what is missing.
    pub(super) fn examine(&self, kind: &str) -> Result<(), Fault> {
        let known = backup_parameters(kind);
        for name in self.parameters.keys() {
            if is_variable(name) && !matches!(kind, "dumps" | "s3")
                || known.iter().any(|one| one.name == name)
            {
                continue;
            }
            let names: Vec<&str> = known.iter().map(|one| one.name).collect();
            return Err(self.misconfigured(&format!(
                "`{name}` is no parameter of a store of kind `{kind}`: there are `{}`",
                names.join("`, `")
            )));
        }
        for one in known.iter().filter(|one| one.required) {
            if self.told(one.name).is_none() {
                return Err(self.misconfigured(&format!(
                    "parameter `{}` is missing: {}",
                    one.name, one.about
                )));
            }
        }
        if self.place.expose_secret().trim().is_empty() {
            return Err(self.misconfigured("nothing says where it is"));
        }
        Ok(())
    }

    /// What it was told under a name, if anything.
    pub(super) fn told(&self, name: &str) -> Option<&str> {
        let value = self.parameters.get(name).map(|value| value.expose_secret().trim());
        value.filter(|value| !value.is_empty())
    }

    /// Values separated by commas.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let words = self.told(name).unwrap_or_default().split(',').map(str::trim);
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// A length of time in ISO 8601, at most a hundred years.
    pub(super) fn length(&self, name: &str) -> Result<Option<SignedDuration>, Fault> {
        let Some(text) = self.told(name) else { return Ok(None) };
        let most = SignedDuration::from_hours(24 * 36_525);
        // A day is taken for 24 hours, and a week for seven of them.
        let length = text
            .parse::<jiff::Span>()
            .ok()
            .and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok());
        match length {
            Some(length) if !length.is_negative() && length <= most => Ok(Some(length)),
            _ => Err(self.misconfigured(&format!(
                "`{name}` is no length of time: write it like `PT3H` or `P1D`"
            ))),
        }
    }

    /// What is wrong with how the store is described.
    pub(super) fn misconfigured(&self, what: &str) -> Fault {
        Fault::Misconfigured { message: format!("backup store `{}`: {what}", self.system) }
    }
}
