//! The standard `OTEL_*` variables: which ones have an effect here. What has none is said at the start instead of being ignored silently.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use opentelemetry_sdk::trace::Sampler;
use url::Url;

const PREFIX: &str = "OTEL_";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const TRACES_HEADERS: &str = "OTEL_EXPORTER_OTLP_TRACES_HEADERS";
const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const TRACES_CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE";
const TIMEOUT: &str = "OTEL_EXPORTER_OTLP_TIMEOUT";
const TRACES_TIMEOUT: &str = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const TRACES_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";
const COMPRESSION: &str = "OTEL_EXPORTER_OTLP_COMPRESSION";
const TRACES_COMPRESSION: &str = "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
const PROPAGATORS: &str = "OTEL_PROPAGATORS";
const DISABLED: &str = "OTEL_SDK_DISABLED";

/// The one way of sending spans.
const HTTP_PROTOBUF: &str = "http/protobuf";
const SAMPLERS: &str = "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio";

/// Longest time of one export, unless said.
const EXPORT_WITHIN: Duration = Duration::from_secs(10);

/// Variables that have an effect: name, default, what it does.
pub const SUPPORTED: &[(&str, &str, &str)] = &[
    (
        ENDPOINT,
        "",
        "URL of a collector for OTLP over HTTP, such as `http://collector:4318`; the path for traces is appended. Unset: there is no tracing.",
    ),
    (TRACES_ENDPOINT, "", "The whole URL for traces; wins over the one above."),
    (HEADERS, "", "Headers of each export: `name=value`, joined by commas, values percent-encoded. Never logged."),
    (TRACES_HEADERS, "", "The same, for traces; wins."),
    (
        CERTIFICATE,
        "",
        "File of the authorities (PEM) that may have signed the certificate of an `https` collector; then only those are believed. Unset: those of the system.",
    ),
    (TRACES_CERTIFICATE, "", "The same, for traces; wins."),
    (TIMEOUT, "10000", "Longest time of one export, in ms."),
    (TRACES_TIMEOUT, "10000", "The same, for traces; wins."),
    (PROTOCOL, HTTP_PROTOBUF, "Only `http/protobuf`; with another one there is no tracing, and a warning."),
    (TRACES_PROTOCOL, HTTP_PROTOBUF, "The same, for traces; wins."),
    (COMPRESSION, "none", "`gzip` or `none`."),
    (TRACES_COMPRESSION, "none", "The same, for traces; wins."),
    (EXPORTER, "otlp", "`otlp`, or `none`: there is no tracing."),
    ("OTEL_SERVICE_NAME", "backchannel", "Name of the service in traces."),
    (ATTRIBUTES, "", "Further attributes of the process: `name=value`, joined by commas."),
    (
        SAMPLER,
        "parentbased_always_on",
        "Which requests are traced: always_on, always_off, traceidratio, or one of these behind `parentbased_`, which does as the caller's `traceparent` says where there is one.",
    ),
    (SAMPLER_ARG, "1", "The part of traces that a ratio keeps, 0 to 1."),
    ("OTEL_BSP_SCHEDULE_DELAY", "5000", "Between two exports, in ms."),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "2048", "Spans that may wait; further ones are dropped, no request waits."),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512", "Spans of one export."),
    (
        PROPAGATORS,
        "tracecontext",
        "Only W3C trace context; others are left out, with a warning. `none`: traces of callers are not continued.",
    ),
    (DISABLED, "false", "`true`: there is no tracing."),
];

/// Variables that must be whole numbers.
const NUMBERS: &[&str] = &[TIMEOUT, TRACES_TIMEOUT, "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"];

/// Variables that must be pairs, joined by commas.
const PAIRS: &[&str] = &[HEADERS, TRACES_HEADERS, ATTRIBUTES];

/// What is to be traced, and how. Where to and with which headers the exporter reads itself.
#[derive(Debug)]
pub struct Plan {
    pub sampler: Sampler,
    /// The file of the authorities to trust instead of the system's.
    pub authorities: Option<PathBuf>,
    /// Longest time of one export.
    pub timeout: Duration,
    /// Whether traces of callers go on here.
    pub propagates: bool,
    /// Whether somebody named the service.
    pub is_named: bool,
}

/// What the environment says.
#[derive(Debug)]
pub struct Environment {
    /// None: there is no tracing.
    pub plan: Option<Plan>,
    /// What was set and has no effect, a sentence each. They repeat no endpoint and no headers, which may hold secrets.
    pub warnings: Vec<String>,
}

impl Environment {
    /// Reads the variables of the process.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self::read(std::env::vars_os().filter_map(text))
    }

    /// Reads these variables. An empty one counts as unset.
    pub fn read(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let given = variables.into_iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.trim().is_empty());
        let mut reader = Reader { given: given.map(|(name, value)| (name, value.trim().to_owned())).collect(), warnings: Vec::new() };
        let plan = reader.plan();
        Self { plan, warnings: reader.warnings }
    }
}

struct Reader {
    given: BTreeMap<String, String>,
    warnings: Vec<String>,
}

impl Reader {
    /// The first of these that is set, with its name.
    fn first(&self, names: &[&'static str]) -> Option<(&'static str, String)> {
        names.iter().find_map(|name| Some((*name, self.given.get(*name)?.clone())))
    }

    fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    fn plan(&mut self) -> Option<Plan> {
        let off = self.first(&[DISABLED]).is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"));
        if off || self.first(&[EXPORTER]).is_some_and(|(_, value)| value == "none") {
            return None;
        }
        let Some((name, endpoint)) = self.first(&[TRACES_ENDPOINT, ENDPOINT]) else {
            if !self.given.is_empty() {
                self.warn(format!("OTEL_* variables are set, but neither {ENDPOINT} nor {TRACES_ENDPOINT}: there is no tracing."));
            }
            return None;
        };
        if !Url::parse(&endpoint).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            self.warn(format!("{name} is not an http or https URL: there is no tracing."));
            return None;
        }
        if let Some((name, value)) = self.first(&[EXPORTER]).filter(|(_, value)| value != "otlp") {
            self.warn(format!("{name} is {value:?}, but only otlp and none are supported: there is no tracing."));
            return None;
        }
        if let Some((name, value)) = self.first(&[TRACES_PROTOCOL, PROTOCOL]).filter(|(_, value)| value != HTTP_PROTOBUF) {
            self.warn(format!(
                "{name} is {value:?}, but only {HTTP_PROTOBUF} is supported (port 4318 of a collector): there is no tracing."
            ));
            return None;
        }
        if let Some((name, value)) = self.first(&[TRACES_COMPRESSION, COMPRESSION]).filter(|(_, v)| !matches!(v.as_str(), "gzip" | "none"))
        {
            self.warn(format!("{name} is {value:?}, but only gzip and none are supported: there is no tracing."));
            return None;
        }
        self.numbers();
        self.pairs();
        self.unknown();
        let is_named = self.given.contains_key("OTEL_SERVICE_NAME")
            || self.first(&[ATTRIBUTES]).is_some_and(|(_, value)| value.split(',').any(|a| a.trim().starts_with("service.name=")));
        let authorities = self.first(&[TRACES_CERTIFICATE, CERTIFICATE]).map(|(_, file)| file.into());
        let timeout =
            self.first(&[TRACES_TIMEOUT, TIMEOUT]).and_then(|(_, ms)| ms.parse().ok()).map_or(EXPORT_WITHIN, Duration::from_millis);
        Some(Plan { sampler: self.sampler(), authorities, timeout, propagates: self.propagates(), is_named })
    }

    fn numbers(&mut self) {
        for name in NUMBERS {
            if let Some((name, value)) = self.first(&[name]).filter(|(_, value)| value.parse::<u64>().is_err()) {
                self.warn(format!("{name} is {value:?}, but must be a whole number: the default holds."));
            }
        }
    }

    /// Their values may be secrets, and are not repeated.
    fn pairs(&mut self) {
        for name in PAIRS {
            let is_pair = |part: &str| part.split_once('=').is_some_and(|(name, _)| HeaderName::try_from(name.trim()).is_ok());
            if self.first(&[name]).is_some_and(|(_, list)| !list.split_terminator(',').all(is_pair)) {
                self.warn(format!("{name} has a part that is not name=value: that part has no effect."));
            }
        }
    }

    fn unknown(&mut self) {
        let unknown = self.given.keys().filter(|name| !SUPPORTED.iter().any(|(known, ..)| known == name));
        for name in unknown.cloned().collect::<Vec<_>>() {
            self.warn(format!("{name} is not supported and has no effect; docs/configuration.md lists the variables that have one."));
        }
    }

    fn sampler(&mut self) -> Sampler {
        let Some((_, name)) = self.first(&[SAMPLER]) else {
            return Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
        };
        let root = match name.strip_prefix("parentbased_").unwrap_or(&name) {
            "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => Sampler::TraceIdRatioBased(self.ratio()),
            _ => {
                self.warn(format!("{SAMPLER} is {name:?}, but must be one of {SAMPLERS}: parentbased_always_on holds."));
                return Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
            }
        };
        if name.starts_with("parentbased_") { Sampler::ParentBased(Box::new(root)) } else { root }
    }

    fn ratio(&mut self) -> f64 {
        let Some((_, text)) = self.first(&[SAMPLER_ARG]) else { return 1.0 };
        match text.parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => ratio,
            _ => {
                self.warn(format!("{SAMPLER_ARG} is {text:?}, but must be a number from 0 to 1: 1 holds."));
                1.0
            }
        }
    }

    fn propagates(&mut self) -> bool {
        let Some((_, list)) = self.first(&[PROPAGATORS]) else { return true };
        let names: Vec<&str> = list.split(',').map(str::trim).collect();
        let left_out: Vec<&str> = names.iter().copied().filter(|name| !matches!(*name, "tracecontext" | "none")).collect();
        if !left_out.is_empty() {
            self.warn(format!("{PROPAGATORS} names {}, but only tracecontext is supported: the rest is left out.", left_out.join(", ")));
        }
        names.contains(&"tracecontext")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Environment {
        Environment::read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    const HERE: (&str, &str) = (ENDPOINT, "http://127.0.0.1:4318");

    #[test]
    fn there_is_tracing_only_with_an_endpoint() {
        assert!(read(&[]).plan.is_none() && read(&[]).warnings.is_empty());
        assert!(read(&[HERE]).plan.is_some_and(|plan| plan.propagates && !plan.is_named));
        assert!(read(&[(TRACES_ENDPOINT, "https://c/custom")]).plan.is_some());
        assert!(read(&[(ENDPOINT, " ")]).plan.is_none(), "empty is unset");
        for off in [(DISABLED, "TRUE"), (EXPORTER, "none")] {
            let environment = read(&[HERE, off]);
            assert!(environment.plan.is_none() && environment.warnings.is_empty(), "{off:?}");
        }
        let forgotten = read(&[(SAMPLER, "always_on")]);
        assert!(forgotten.plan.is_none() && forgotten.warnings[0].contains(ENDPOINT), "{forgotten:?}");
    }

    #[test]
    fn what_is_said_for_traces_wins_over_what_is_said_for_all() {
        let plan = |pairs: &[(&str, &str)]| read(&[&[HERE], pairs].concat()).plan.expect("an endpoint is named");
        let own = plan(&[(CERTIFICATE, "/all.pem"), (TRACES_CERTIFICATE, "/traces.pem"), (TIMEOUT, "1"), (TRACES_TIMEOUT, "2")]);
        assert_eq!((own.authorities, own.timeout), (Some("/traces.pem".into()), Duration::from_millis(2)));
        let all = plan(&[(CERTIFICATE, "/all.pem"), (TIMEOUT, "1")]);
        assert_eq!((all.authorities, all.timeout), (Some("/all.pem".into()), Duration::from_millis(1)));
        let none = plan(&[(TIMEOUT, "soon")]);
        assert_eq!((none.authorities, none.timeout), (None, EXPORT_WITHIN));
    }

    #[test]
    fn what_cannot_be_done_turns_tracing_off_and_is_said() {
        for wrong in [
            (TRACES_PROTOCOL, "grpc"),
            (PROTOCOL, "http/json"),
            (EXPORTER, "zipkin"),
            (TRACES_COMPRESSION, "zstd"),
            (TRACES_ENDPOINT, "collector:4317"),
        ] {
            let environment = read(&[HERE, wrong]);
            assert!(environment.plan.is_none() && environment.warnings.len() == 1, "{environment:?}");
            assert!(environment.warnings[0].contains(wrong.0) && environment.warnings[0].contains("no tracing"), "{environment:?}");
        }
        let secret = read(&[(ENDPOINT, "ftp://user:hunter2@c")]);
        assert!(!secret.warnings[0].contains("hunter2"), "{secret:?}");
    }

    #[test]
    fn what_has_no_effect_is_said_and_the_rest_works() {
        let odd = [
            HERE,
            (SAMPLER, "jaeger_remote"),
            ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
            (PROPAGATORS, "tracecontext,b3"),
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_SERVICE_NAME", "bus"),
            (HEADERS, "x-key=a b,hunter2"),
            (ATTRIBUTES, "a=b, service.name=bus"),
        ];
        let environment = read(&odd);
        assert_eq!(environment.warnings.len(), 5, "{environment:?}");
        assert!(environment.warnings.iter().any(|warning| warning.contains(HEADERS)), "{environment:?}");
        assert!(!format!("{environment:?}").contains("hunter2"), "{environment:?}");
        let plan = environment.plan.expect("tracing");
        assert!(plan.is_named && plan.propagates);
        assert!(matches!(plan.sampler, Sampler::ParentBased(root) if format!("{root:?}") == "AlwaysOn"));
        assert!(read(&[HERE, ("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=bus")]).plan.is_some_and(|plan| plan.is_named));
        assert!(read(&[HERE, (PROPAGATORS, "none")]).plan.is_some_and(|plan| !plan.propagates));
    }

    #[test]
    fn every_standard_sampler_is_understood() {
        let sampler = |name, arg| {
            let environment = read(&[HERE, (SAMPLER, name), (SAMPLER_ARG, arg)]);
            (environment.plan.expect("tracing").sampler, environment.warnings.len())
        };
        assert!(matches!(sampler("always_on", ""), (Sampler::AlwaysOn, 0)));
        assert!(matches!(sampler("always_off", ""), (Sampler::AlwaysOff, 0)));
        assert!(matches!(sampler("traceidratio", "0.25"), (Sampler::TraceIdRatioBased(r), 0) if (r - 0.25).abs() < 1e-9));
        assert!(matches!(sampler("traceidratio", "7"), (Sampler::TraceIdRatioBased(r), 1) if (r - 1.0).abs() < 1e-9));
        for (name, arg) in [("parentbased_always_off", ""), ("parentbased_traceidratio", "0")] {
            assert!(matches!(sampler(name, arg), (Sampler::ParentBased(_), 0)), "{name}");
        }
    }
}
