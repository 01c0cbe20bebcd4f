//! How far a request is: four words, and no word for a refusal or a part.

/// State of a request. It moves only forward in this order; the last two are both final.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum RequestStatus {
    /// Taken in, and it can still be cancelled.
    Pending,
    /// Being carried out.
    InProgress,
    /// Over.
    Completed,
    /// Called off.
    Cancelled,
}

impl RequestStatus {
    /// Reads a state, in the spellings that are out there (`canceled`, `in-progress`).
    pub fn read(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().replace(['-', ' '], "_").as_str() {
            "pending" => Some(Self::Pending),
            "in_progress" => Some(Self::InProgress),
            "completed" => Some(Self::Completed),
            "cancelled" | "canceled" => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// The word of the specification.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Nothing follows.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::RequestStatus::{self, Cancelled, Completed, InProgress, Pending};

    #[test]
    fn spellings_are_tolerated_and_one_is_written() {
        for (text, status) in [
            ("pending", Pending),
            ("in_progress", InProgress),
            ("in-progress", InProgress),
            ("IN PROGRESS", InProgress),
            ("completed", Completed),
            ("cancelled", Cancelled),
            ("canceled", Cancelled),
        ] {
            assert_eq!(RequestStatus::read(text), Some(status));
        }
        for unknown in ["", "failed", "done", "partially_completed"] {
            assert_eq!(RequestStatus::read(unknown), None);
        }
        for status in [Pending, InProgress, Completed, Cancelled] {
            assert_eq!(RequestStatus::read(status.as_str()), Some(status));
        }
        assert!(Completed.is_final() && Cancelled.is_final() && !InProgress.is_final());
    }
}
