//! What a bucket does by itself: versions, and the rules of its life cycle.

use jiff::Timestamp;

use crate::receipt::Fault;

use super::bucket::{Bucket, Wanted};
use super::xml::Element;

/// Most rules of a life cycle, as S3 has it.
const MOST_RULES: usize = 1_000;
/// Longest period of a rule, in days: a hundred years.
const MOST_DAYS: u32 = 36_525;

/// Whether a bucket keeps what is written over and deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// It never did.
    Never,
    /// It does.
    Enabled,
    /// It did: what is there stays, and nothing is added.
    Suspended,
}

/// One rule of a life cycle, as far as it removes anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LifeCycleRule {
    /// It is carried out.
    pub enabled: bool,
    /// It is about keys that begin with this.
    pub prefix: String,
    /// It is about objects with tags, which are not looked at.
    pub tagged: bool,
    /// It is about objects that are larger than so many bytes.
    pub larger_than: Option<u64>,
    /// It is about objects that are smaller than so many bytes.
    pub smaller_than: Option<u64>,
    /// What is current ends so many days after it was written.
    pub days: Option<u32>,
    /// What is current ends at this moment.
    pub at: Option<Timestamp>,
    /// What is not current ends so many days after it was replaced.
    pub days_noncurrent: Option<u32>,
    /// So many of the newest versions that are not current stay all the same.
    pub newer_noncurrent: u32,
}

impl LifeCycleRule {
    /// It is about every object with this key and size, whatever its tags.
    pub fn covers(&self, key: &str, bytes: u64) -> bool {
        self.enabled
            && !self.tagged
            && key.starts_with(&self.prefix)
            && self.larger_than.is_none_or(|least| bytes > least)
            && self.smaller_than.is_none_or(|most| bytes < most)
    }
}

impl Bucket {
    /// Whether it keeps versions.
    ///
    /// # Errors
    /// Where the store does not tell.
    pub async fn versioning(&self) -> Result<Versioning, Fault> {
        let what = "its settings of versions";
        let wanted = Wanted::get(what, "s3:GetBucketVersioning", &[("versioning", "")]);
        let root = self.document(&wanted, "VersioningConfiguration", &[]).await?;
        match root.as_ref().map(|root| root.word("Status")) {
            Some(None) => Ok(Versioning::Never),
            Some(Some("Enabled")) => Ok(Versioning::Enabled),
            Some(Some("Suspended")) => Ok(Versioning::Suspended),
            _ => Err(self.nonsense(what)),
        }
    }

    /// The rules of its life cycle, also those that are switched off; none where it has none.
    ///
    /// # Errors
    /// Where the store does not tell, or where a rule cannot be read.
    pub async fn life_cycle(&self) -> Result<Vec<LifeCycleRule>, Fault> {
        let what = "its life cycle";
        let wanted = Wanted::get(what, "s3:GetLifecycleConfiguration", &[("lifecycle", "")]);
        let absent = ["NoSuchLifecycleConfiguration", "NotImplemented"];
        let root = self.document(&wanted, "LifecycleConfiguration", &absent).await?;
        let Some(root) = root else { return Ok(Vec::new()) };
        if root.all("Rule").count() > MOST_RULES {
            return Err(self.nonsense(what));
        }
        let rules: Option<Vec<LifeCycleRule>> = root.all("Rule").map(rule).collect();
        rules.ok_or_else(|| self.nonsense(what))
    }
}

/// `None` where anything of it is not understood that could make it reach further or end later.
fn rule(element: &Element) -> Option<LifeCycleRule> {
    let mut rule = LifeCycleRule {
        enabled: match element.word("Status")? {
            "Enabled" => true,
            "Disabled" => false,
            _ => return None,
        },
        ..LifeCycleRule::default()
    };
    if let Some(prefix) = element.one("Prefix") {
        prefix.text.clone_into(&mut rule.prefix);
    }
    if let Some(filter) = element.one("Filter") {
        narrow(&mut rule, filter)?;
    }
    if let Some(ends) = element.one("Expiration") {
        rule.days = optional(ends.word("Days"), days)?;
        rule.at = optional(ends.word("Date"), moment)?;
    }
    if let Some(ends) = element.one("NoncurrentVersionExpiration") {
        rule.days_noncurrent = optional(ends.word("NoncurrentDays"), days)?;
        let newer = ends.word("NewerNoncurrentVersions");
        rule.newer_noncurrent = optional(newer, |text| text.parse().ok())?.unwrap_or(0);
    }
    Some(rule)
}

fn narrow(rule: &mut LifeCycleRule, filter: &Element) -> Option<()> {
    for child in &filter.children {
        match child.name.as_str() {
            "Prefix" => child.text.clone_into(&mut rule.prefix),
            "ObjectSizeGreaterThan" => rule.larger_than = Some(child.text.trim().parse().ok()?),
            "ObjectSizeLessThan" => rule.smaller_than = Some(child.text.trim().parse().ok()?),
            "And" => narrow(rule, child)?,
            // A tag, or what later versions of the interface may narrow by.
            _ => rule.tagged = true,
        }
    }
    Some(())
}

fn days(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&days| days <= MOST_DAYS)
}

/// A day at midnight, or a moment.
fn moment(text: &str) -> Option<Timestamp> {
    let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    text.parse().ok().or_else(|| Some(day()?.timestamp()))
}

/// The outer `None` for what is there and cannot be read.
#[expect(clippy::option_option, reason = "what is absent and what cannot be read differ")]
fn optional<T>(text: Option<&str>, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => read(text).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<LifeCycleRule> {
        rule(&Element::parse(format!("<Rule>{text}</Rule>").as_bytes(), "Rule").unwrap())
    }

    #[test]
    fn rules_are_read_as_far_as_they_remove() {
        let written = "<ID>a</ID><Status>Enabled</Status><Filter><And><Prefix>daily/</Prefix>\
                       <ObjectSizeGreaterThan>10</ObjectSizeGreaterThan></And></Filter>\
                       <Expiration><Days>30</Days></Expiration><NoncurrentVersionExpiration>\
                       <NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration>";
        let rule = read(written).unwrap();
        assert_eq!((rule.days, rule.days_noncurrent), (Some(30), Some(7)));
        assert!(rule.covers("daily/a", 11));
        assert!(!rule.covers("daily/a", 10) && !rule.covers("weekly/a", 11));
        let off = read("<Prefix/><Status>Disabled</Status><Expiration><Days>1</Days></Expiration>");
        assert!(!off.unwrap().covers("a", 1));
        let tag =
            "<Status>Enabled</Status><Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>";
        assert!(!read(tag).unwrap().covers("a", 1), "tags are not looked at");
        let date = "<Status>Enabled</Status><Expiration><Date>2027-01-01T00:00:00.000Z</Date></Expiration>";
        assert_eq!(read(date).unwrap().at, Some("2027-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_rule_that_is_not_understood_is_none() {
        for wrong in [
            "<Prefix>a</Prefix>",
            "<Status>Sometimes</Status>",
            "<Status>Enabled</Status><Expiration><Days>soon</Days></Expiration>",
            "<Status>Enabled</Status><Expiration><Days>99999999</Days></Expiration>",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
