//! Life cycles of cases and jobs.

use serde::{Deserialize, Serialize};

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The word used in the store, the API and on pages.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Reads the word.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

states! {
    /// State of a job. Only `Completed`, `Failed` and `Cancelled` are final.
    JobState {
        /// Its time has not come.
        Scheduled = "scheduled",
        /// A worker may claim it.
        Available = "available",
        /// A worker has a lease on it.
        Running = "running",
        /// The system will report.
        Waiting = "waiting",
        /// A legal hold stops it.
        Held = "held",
        /// An approval, a cap or a pause stops it.
        Blocked = "blocked",
        /// Carried out and verified.
        Completed = "completed",
        /// It needs a person.
        Failed = "failed",
        /// A person called it off.
        Cancelled = "cancelled",
    }
}

impl JobState {
    /// Nothing follows after this state, unless a person asks for another try.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

states! {
    /// State of a case.
    CaseState {
        /// Its jobs are written.
        Planned = "planned",
        /// A second person has to agree first.
        AwaitingApproval = "awaiting_approval",
        /// Jobs are being carried out.
        Executing = "executing",
        /// All jobs are final and the certificate is being made.
        Verifying = "verifying",
        /// The certificate exists.
        Closed = "closed",
    }
}

states! {
    /// How a case ended.
    CaseOutcome {
        /// All that was due is gone, verified.
        Fulfilled = "fulfilled",
        /// Something that was due stays, for a reason that is on the certificate.
        PartiallyRetained = "partially_retained",
        /// Something failed.
        Failed = "failed",
        /// Called off.
        Cancelled = "cancelled",
    }
}

states! {
    /// What a person asks for.
    AskedRight {
        /// GDPR article 17.
        Erasure = "erasure",
        /// GDPR article 18.
        Restriction = "restriction",
        /// The end of a restriction that the person asked for.
        Lifting = "lifting",
        /// GDPR article 21: restricted while it is decided.
        Objection = "objection",
        /// GDPR article 15; carried out by a person.
        Access = "access",
        /// GDPR article 16; carried out by a person.
        Rectification = "rectification",
        /// GDPR article 20; carried out by a person.
        Portability = "portability",
    }
}

states! {
    /// Where a request stands.
    RequestState {
        /// Somebody has to confirm who is asking.
        IdentityPending = "identity_pending",
        /// It can still be taken back.
        CoolingOff = "cooling_off",
        /// It is to be carried out.
        Ready = "ready",
        /// Several persons fit: somebody has to say which.
        Ambiguous = "ambiguous",
        /// A person carries it out or decides it.
        WithAPerson = "with_a_person",
        /// Its case is under way.
        Executing = "executing",
        /// It is answered.
        Closed = "closed",
    }
}

states! {
    /// How a request ended.
    RequestOutcome {
        /// All of it was done.
        Fulfilled = "fulfilled",
        /// Something stays, for a reason that the answer names.
        PartiallyRetained = "partially_retained",
        /// Nobody knows the person.
        NotFound = "not_found",
        /// Refused, with a reason and by two persons.
        Refused = "refused",
        /// Taken back.
        Cancelled = "cancelled",
        /// Something could not be done.
        Failed = "failed",
        /// A person carried it out.
        Handled = "handled",
    }
}
