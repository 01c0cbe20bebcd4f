//! What the product logs while a world goes on, so that it can be searched for names.

#[path = "../../connectors/tests/heard/mod.rs"]
#[expect(dead_code, reason = "a world listens to less than the tests of connectors")]
mod writer;

use tracing::subscriber::DefaultGuard;

pub use self::writer::Heard;

impl Heard {
    /// Listens to the product on this thread from now on, until the guard goes.
    pub fn listen_to_product() -> (Self, DefaultGuard) {
        let heard = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("info,quietus=debug,quietus_connectors=debug")
            .with_ansi(false)
            .without_time()
            .with_writer(heard.clone())
            .finish();
        (heard, tracing::subscriber::set_default(subscriber))
    }

    /// Lines of this level.
    pub fn lines(&self, level: &str) -> Vec<String> {
        self.words()
            .lines()
            .filter(|line| line.trim_start().starts_with(level))
            .map(str::to_owned)
            .collect()
    }
}
