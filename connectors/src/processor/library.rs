//! Definitions that come with the product. The one list of them.

/// Name and text of each.
const DEFINITIONS: &[(&str, &str)] = &[
    ("braze", include_str!("../../definitions/braze.yaml")),
    ("hubspot", include_str!("../../definitions/hubspot.yaml")),
    ("intercom", include_str!("../../definitions/intercom.yaml")),
    ("mailchimp", include_str!("../../definitions/mailchimp.yaml")),
    ("salesforce", include_str!("../../definitions/salesforce.yaml")),
    ("segment", include_str!("../../definitions/segment.yaml")),
    ("sendgrid", include_str!("../../definitions/sendgrid.yaml")),
    ("stripe", include_str!("../../definitions/stripe.yaml")),
    ("twilio", include_str!("../../definitions/twilio.yaml")),
    ("zendesk", include_str!("../../definitions/zendesk.yaml")),
];

/// Names of all definitions, in alphabetical order.
pub fn names() -> Vec<&'static str> {
    DEFINITIONS.iter().map(|(name, _)| *name).collect()
}

/// The text of a definition.
pub fn definition(name: &str) -> Option<&'static str> {
    DEFINITIONS.iter().find(|(one, _)| *one == name).map(|(_, text)| *text)
}
