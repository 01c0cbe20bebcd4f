//! Whether traces are told, and to whom, as the standard variables of OpenTelemetry say it. What else
//! they say (headers, time-outs, the name of the service, which traces are wanted) its SDK reads by itself.

use url::Url;

/// Where all signals go; that of traces is below.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Where traces go, as it stands.
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// How one speaks to it: for traces, and for all signals.
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
/// The only protocol that is spoken.
const PROTOCOL: &str = "http/protobuf";
/// By what exporters traces go.
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
/// Switches everything of OpenTelemetry off.
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// The place of traces below an address of all signals.
const PATH: &str = "v1/traces";

/// Who is told of traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// The address to which spans are sent.
    pub endpoint: String,
}

impl Collector {
    /// Reads the environment; `None` where nobody is to be told.
    ///
    /// # Errors
    /// Where a variable says something that cannot be done. The text names it, and not what it says:
    /// an address may have a secret in it.
    pub fn from_environment() -> Result<Option<Self>, String> {
        #[expect(clippy::disallowed_methods, reason = "the room that reads the environment")]
        Self::from(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from(read: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let (name, text) = match (read(TRACES_ENDPOINT), read(ENDPOINT)) {
            (Some(own), _) => (TRACES_ENDPOINT, own),
            (None, Some(all)) => (ENDPOINT, format!("{}/{PATH}", all.trim_end_matches('/'))),
            (None, None) => return Ok(None),
        };
        if read(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        match read(EXPORTER).as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(_) => {
                return Err(format!("the environment variable `{EXPORTER}` is `otlp` or `none`"));
            }
        }
        let protocol = PROTOCOLS.iter().find_map(|name| Some((name, read(name)?)));
        if let Some((name, protocol)) = protocol
            && protocol != PROTOCOL
        {
            return Err(format!(
                "the environment variable `{name}` asks for a protocol that is not spoken: write `{PROTOCOL}`, with the port of the collector for HTTP (as a rule 4318)"
            ));
        }
        let fits = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        match Url::parse(&text).ok().filter(fits) {
            Some(url) => Ok(Some(Self { endpoint: url.into() })),
            None => Err(format!(
                "the environment variable `{name}` is no address of a collector: write one such as `http://collector.example:4318`"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let read = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Collector::from(read).map(|collector| collector.map(|one| one.endpoint))
    }

    #[test]
    fn nobody_is_told_unless_somebody_is_named() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[(PROTOCOLS[1], "grpc")]), Ok(None), "it is about others");
        let named = (ENDPOINT, "http://collector.example:4318");
        assert_eq!(read(&[named, (DISABLED, "TRUE")]), Ok(None));
        assert_eq!(read(&[named, (EXPORTER, "none")]), Ok(None));
        let told = Ok(Some("http://collector.example:4318/v1/traces".to_owned()));
        assert_eq!(read(&[named]), told);
        assert_eq!(read(&[(ENDPOINT, "http://collector.example:4318/")]), told);
        assert_eq!(read(&[named, (EXPORTER, "otlp"), (PROTOCOLS[0], PROTOCOL)]), told);
        let own = (TRACES_ENDPOINT, "https://traces.example/in");
        assert_eq!(read(&[named, own]), Ok(Some("https://traces.example/in".to_owned())));
    }

    #[test]
    fn what_cannot_be_done_is_named_without_its_secret() {
        let named = (ENDPOINT, "http://collector.example:4318");
        for (wrong, variable) in [
            (vec![(ENDPOINT, "collector.example:4318")], ENDPOINT),
            (vec![(TRACES_ENDPOINT, "hush")], TRACES_ENDPOINT),
            (vec![named, (PROTOCOLS[1], "grpc")], PROTOCOLS[1]),
            (vec![named, (PROTOCOLS[0], "http/json"), (PROTOCOLS[1], PROTOCOL)], PROTOCOLS[0]),
            (vec![named, (EXPORTER, "zipkin")], EXPORTER),
        ] {
            let problem = read(&wrong).unwrap_err();
            assert!(problem.contains(variable), "{problem}");
            assert!(!problem.contains("hush"), "{problem}");
        }
    }
}
