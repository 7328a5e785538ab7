use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Settings, Vec<Mistake>> {
    Settings::from_pairs(pairs.iter().map(|(name, text)| (format!("{PREFIX}{name}"), (*text).to_owned())))
}

/// The only mistake of one pair, as it is printed.
fn mistake(name: &str, text: &str) -> String {
    let mistakes = read(&[(name, text)]).expect_err("a mistake");
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes[0].to_string()
}

#[test]
fn the_defaults_are_those_of_the_table() {
    let s = Settings::for_tests();
    assert_eq!((s.host.to_string().as_str(), s.port, s.metrics_port), ("0.0.0.0", 8080, None));
    assert_eq!((s.rate_limit, s.rate_limit_window_s, s.key_mint_limit, s.key_mint_window_s), (120, 60, 5, 3600));
    assert_eq!((s.default_ttl_s, s.min_ttl_s, s.default_retention_days, s.default_discoverable), (86_400, 300, 7, true));
    assert_eq!((s.longpoll_enabled, s.longpoll_max_wait, s.longpoll_max_waiters), (true, Duration::from_secs(25), 15_000));
    assert_eq!((s.threads, s.redis_connections, s.redis_timeout, s.key_prefix.as_str()), (1, 1, Duration::from_millis(1500), "bc:"));
    assert_eq!((s.base_url, s.allowed_hosts, s.trusted_proxies), (None, vec![], vec![]));
    assert_eq!((s.admin_token, s.log_format, s.log_level.as_str()), (None, LogFormat::Json, "info"));
}

#[test]
fn dev_is_on_loopback_and_without_limits() {
    let s = Settings::with_defaults(Defaults::Dev, []).expect("the defaults of dev are allowed");
    assert_eq!((s.host.to_string().as_str(), s.rate_limit, s.key_mint_limit, s.flood_limit, s.min_ttl_s), ("127.0.0.1", 0, 0, 0, 1));
    assert_eq!((s.log_format, s.port), (LogFormat::Text, 8080));
}

#[test]
fn names_and_flags_are_unique_and_every_row_has_a_sentence() {
    let names: std::collections::HashSet<_> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), TABLE.len());
    for row in TABLE {
        let plain = row.section == "Rooms"; // as earlier bridges called them
        assert!(row.name.starts_with(PREFIX) != plain && row.help.ends_with('.'), "{}", row.name);
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let pairs = [("PORT", "http"), ("RATE_LIMIT", "-1"), ("LONGPOLL_ENABLED", "maybe"), ("HOST", "localhost"), ("NONSENSE", "1")];
    let mut names: Vec<_> = read(&pairs).expect_err("mistakes").into_iter().map(|mistake| mistake.name).collect();
    names.sort();
    assert_eq!(names, ["HOST", "LONGPOLL_ENABLED", "NONSENSE", "PORT", "RATE_LIMIT"].map(|name| format!("{PREFIX}{name}")));
}

#[test]
fn a_mistake_names_the_variable_the_value_and_what_is_allowed() {
    assert_eq!(
        mistake("RATE_LIMIT", "many"),
        "BACKCHANNEL_RATE_LIMIT (--rate-limit) is \"many\", but must be a whole number from 0 to 1000000 (0: no limit)."
    );
    assert_eq!(
        mistake("TRUSTED_PROXIES", "10.0.0.0/8, 10.0.0.0/33"),
        "BACKCHANNEL_TRUSTED_PROXIES (--trusted-proxies) is \"10.0.0.0/8, 10.0.0.0/33\", but must be addresses or networks separated by \
         commas, such as 10.0.0.0/8,192.0.2.7,fd00::/8 (\"10.0.0.0/33\" is neither an address nor a network)."
    );
}

#[test]
fn a_secret_is_in_no_message_and_in_no_debug_output() {
    let line = mistake("ADMIN_TOKEN", "hunter2 with blanks");
    assert!(line.contains("BACKCHANNEL_ADMIN_TOKEN") && !line.contains("hunter2"), "{line}");
    for url in ["http://:hunter2@redis:6379", "nonsense://u:hunter2@a@b?password=hunter2", "u:hunter2@host"] {
        let line = mistake("REDIS_URL", url);
        assert!(line.contains("BACKCHANNEL_REDIS_URL") && !line.contains("hunter2"), "{line}");
    }
    let s = read(&[("ADMIN_TOKEN", "hunter2"), ("REDIS_URL", "redis://:hunter2@127.0.0.1/0")]).expect("allowed");
    assert!(!format!("{s:?} {:?}", s.admin_token).contains("hunter2"));
    assert_eq!(s.admin_token.as_ref().map(Secret::expose), Some("hunter2"));
}

#[test]
fn numbers_keep_to_their_range() {
    assert_eq!(read(&[("MIN_TTL_SECONDS", "1")]).expect("allowed").min_ttl_s, 1);
    for (name, text) in [
        ("MIN_TTL_SECONDS", "0"),
        ("MAX_MESSAGE_BYTES", "1000001"),
        ("DEFAULT_RETENTION_DAYS", "366"),
        ("PORT", "65536"),
        ("PORT", "+80"),
        ("RATE_LIMIT", "1e3"),
        ("RATE_LIMIT", "99999999999999999999999"),
        ("LONGPOLL_MAX_WAIT_SECONDS", "50.1"),
        ("LONGPOLL_MAX_WAIT_SECONDS", "inf"),
        ("LONGPOLL_MAX_WAIT_SECONDS", "."),
    ] {
        assert!(mistake(name, text).contains(&format!("is {text:?}")), "{name} {text}");
    }
}

#[test]
fn seconds_may_have_fractions() {
    assert_eq!(read(&[("LONGPOLL_MAX_WAIT_SECONDS", "0.25")]).expect("allowed").longpoll_max_wait, Duration::from_millis(250));
}

#[test]
fn lists_are_split_and_a_bare_address_is_a_network_of_one() {
    let s = read(&[("TRUSTED_PROXIES", "10.1.2.3/8, 192.0.2.7,fd00::1,"), ("ALLOWED_HOSTS", "Bus.Example.com, localhost:8080,[::1]:80")])
        .expect("allowed");
    assert_eq!(s.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8", "192.0.2.7/32", "fd00::1/128"]);
    assert_eq!(s.allowed_hosts, ["bus.example.com", "localhost:8080", "[::1]:80"]);
    for bad in ["https://bus.example.com", "a b", "user@host", "*.example.com", "host/path"] {
        assert!(mistake("ALLOWED_HOSTS", bad).contains("is not a host name"));
    }
}

#[test]
fn the_base_url_loses_its_last_slash_and_must_be_plain() {
    assert_eq!(read(&[("BASE_URL", "https://bus.example.com/")]).expect("allowed").base_url.as_deref(), Some("https://bus.example.com"));
    for bad in ["bus.example.com", "ftp://bus.example.com", "https://u:p@bus.example.com", "https://bus.example.com/?a=1", "https://"] {
        assert!(mistake("BASE_URL", bad).contains("must be an http:// or https:// URL"), "{bad}");
    }
}

#[test]
fn a_log_level_that_is_none_is_refused() {
    assert_eq!(read(&[("LOG_LEVEL", "info,backchannel=debug")]).expect("allowed").log_level, "info,backchannel=debug");
    for bad in ["verbose", "info,chatty", "backchannel=loud"] {
        assert!(mistake("LOG_LEVEL", bad).contains("must be error, warn"), "{bad}");
    }
}

#[test]
fn a_prefix_with_braces_would_send_all_keys_to_one_slot() {
    assert!(mistake("KEY_PREFIX", "{bc}:").contains("must be 1 to 64 characters"));
}

#[test]
fn the_default_life_is_at_least_the_shortest() {
    assert_eq!(
        mistake("DEFAULT_TTL_SECONDS", "100"),
        "BACKCHANNEL_DEFAULT_TTL_SECONDS (--default-ttl-seconds) is \"100\", but must be at least BACKCHANNEL_MIN_TTL_SECONDS, which is 300."
    );
}

#[test]
fn metrics_cannot_have_the_port_of_the_api_to_themselves() {
    let mistakes = read(&[("PORT", "9000"), ("METRICS_PORT", "9000")]).expect_err("a mistake");
    assert!(mistakes[0].to_string().contains("must differ from BACKCHANNEL_PORT"));
}

#[test]
fn idle_channels_are_found_by_the_survey_alone() {
    let mistakes = read(&[("CHANNEL_IDLE_DAYS", "90"), ("SURVEY_KEYS_PER_SECOND", "0")]).expect_err("a mistake");
    assert!(mistakes[0].to_string().contains("BACKCHANNEL_SURVEY_KEYS_PER_SECOND must not be 0"), "{}", mistakes[0]);
    assert!(read(&[("CHANNEL_IDLE_DAYS", "90")]).is_ok() && read(&[("SURVEY_KEYS_PER_SECOND", "0")]).is_ok());
}

#[test]
fn the_port_that_kubernetes_sets_is_explained() {
    assert!(mistake("PORT", "tcp://10.0.0.1:80").contains("enableServiceLinks: false"));
}

/// A file's path; removed at the end of the test.
struct Written(String);

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0); // what is left in the folder for temporary files harms nobody
    }
}

/// A file with this content, under a name of its own.
fn file(name: &str, content: &str) -> Written {
    let path = std::env::temp_dir().join(format!("backchannel-{}-{name}", std::process::id()));
    std::fs::write(&path, content).expect("the folder for temporary files can be written to");
    Written(path.display().to_string())
}

#[test]
fn the_password_of_redis_is_the_one_line_of_a_file() {
    for content in ["hunter2", "hunter2\n", "hunter2\r\n"] {
        let path = file("password", content);
        let s = read(&[("REDIS_URL", "redis://user@redis"), ("REDIS_PASSWORD_FILE", &path.0)]).expect("allowed");
        assert_eq!((s.redis_url.login().user(), s.redis_url.login().password()), (Some("user"), Some("hunter2")), "{content:?}");
    }
    for bad in ["", "\n", "hunter2\nhunter3\n"] {
        let line = mistake("REDIS_PASSWORD_FILE", &file("no-password", bad).0);
        assert!(line.contains("must be a file that can be read and holds one line") && !line.contains("hunter"), "{line}");
    }
    assert!(mistake("REDIS_PASSWORD_FILE", "/nowhere/at/all").contains("No such file"));
    let second = file("second-password", "hunter2");
    let twice = read(&[("REDIS_URL", "redis://:hunter3@redis"), ("REDIS_PASSWORD_FILE", &second.0)]);
    let line = twice.expect_err("a mistake")[0].to_string();
    assert!(line.contains("BACKCHANNEL_REDIS_URL has a password too") && !line.contains("hunter"), "{line}");
}

#[test]
fn authorities_are_certificates_and_need_tls() {
    let params = rcgen::CertificateParams::new([]).expect("no names are fine");
    let certificate = params.self_signed(&rcgen::KeyPair::generate().expect("a key")).expect("a certificate");
    let path = file("ca.pem", &certificate.pem());
    for url in ["rediss://redis", "rediss-cluster://redis", "rediss-sentinel://one?sentinelServiceName=main"] {
        let s = read(&[("REDIS_URL", url), ("REDIS_TLS_CA_FILE", &path.0)]).expect("allowed");
        assert_eq!(s.redis_url.authorities(), Some(certificate.pem().as_bytes()));
    }
    assert!(mistake("REDIS_TLS_CA_FILE", &path.0).contains("its scheme must begin with rediss"), "the default URL has no TLS");
    assert!(mistake("REDIS_TLS_CA_FILE", &file("no.pem", "nothing").0).contains("it holds no certificate"));
}
