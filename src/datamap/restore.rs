//! What is done once a system was put back to an earlier state.

/// Who opens a restored system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RestoredOpens {
    /// Somebody does, once everything is done again.
    #[default]
    ByAPerson,
    /// It is opened as soon as everything is done again.
    ByItself,
}

/// What is done once a system was restored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreSettings {
    /// Accounts of applications, which are kept out until it is opened.
    pub keep_out: Vec<String>,
    /// A program with its arguments that is told of the beginning and of the opening; empty for
    /// none.
    pub hook: Vec<String>,
    /// Who opens it.
    pub opens: RestoredOpens,
}
