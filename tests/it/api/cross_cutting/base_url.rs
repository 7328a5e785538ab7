//! Under which URL answers advertise this instance: never under one that an attacker chose.

use crate::support::fleet::{Builder, Fleet};
use crate::support::reply::Reply;

/// The base URL that an error and the `Link` headers of a success name.
async fn advertised(fleet: &Fleet, headers: &[(&str, &str)]) -> String {
    let ask = |path: &str| headers.iter().fold(fleet.client().get(path), |ask, (name, value)| ask.header(name, value));
    let (error, success): (Reply, Reply) = (ask("/nowhere").await, ask("/health").await);
    let page = error.body["documentation_url"].as_str().unwrap();
    let base = page.strip_suffix("/docs/errors.md#not-found").unwrap().to_owned();
    let link = success.header("link").unwrap();
    assert!(link.starts_with(&format!("<{base}/openapi.json>")), "{link} and {base}");
    assert!(success.body["status_url"].as_str().unwrap().starts_with(&format!("{base}/")), "{}", success.body);
    for (_, value) in headers {
        if value.contains("evil") {
            assert!(!format!("{error:?}{success:?}").contains("evil"), "never echoed");
        }
    }
    base
}

fn one(pairs: &[(&str, &str)]) -> Builder {
    pairs.iter().fold(Fleet::builder().replicas(1), |builder, (name, value)| builder.env(name, value))
}

#[tokio::test]
async fn the_base_url_is_the_setting_or_an_allowed_host_and_never_a_hostile_one() {
    let fixed = one(&[("BACKCHANNEL_BASE_URL", "https://bus.example/api/"), ("BACKCHANNEL_TRUSTED_PROXIES", "127.0.0.1")]).start().await;
    for headers in [&[][..], &[("Host", "evil.example")], &[("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "http")]] {
        assert_eq!(advertised(&fixed, headers).await, "https://bus.example/api");
    }
    fixed.finish().await;

    let listed = one(&[("BACKCHANNEL_ALLOWED_HOSTS", "bus.example,other.example:8443")]).start().await;
    for (headers, base) in [
        (&[("Host", "bus.example")][..], "http://bus.example"),
        (&[("Host", "BUS.example")], "http://BUS.example"),
        (&[("Host", "other.example:8443")], "http://other.example:8443"),
        (&[("Host", "evil.example")], "http://bus.example"),
        (&[("Host", "bus.example.evil.example")], "http://bus.example"),
        (&[("Host", "evil.example:80")], "http://bus.example"),
        (&[("Host", "bus.example@evil.example")], "http://bus.example"),
        (&[("Host", "bus.example/evil")], "http://bus.example"),
        (&[("Host", "bus.example:80:evil")], "http://bus.example"),
        (&[("Host", "bus.example"), ("X-Forwarded-Host", "other.example:8443")], "http://bus.example"),
        (&[("Host", "bus.example"), ("X-Forwarded-Proto", "https")], "http://bus.example"),
    ] {
        assert_eq!(advertised(&listed, headers).await, base, "{headers:?}: only a trusted proxy is believed");
    }
    listed.finish().await;

    let behind =
        one(&[("BACKCHANNEL_ALLOWED_HOSTS", "bus.example,other.example"), ("BACKCHANNEL_TRUSTED_PROXIES", "127.0.0.0/8")]).start().await;
    for (headers, base) in [
        (&[("Host", "10.0.0.7:8080"), ("X-Forwarded-Host", "other.example"), ("X-Forwarded-Proto", "https")][..], "https://other.example"),
        (&[("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https")], "https://bus.example"),
        (&[("X-Forwarded-Host", "other.example"), ("X-Forwarded-Proto", "javascript")], "http://other.example"),
    ] {
        assert_eq!(advertised(&behind, headers).await, base, "{headers:?}");
    }
    behind.finish().await;

    let open = Fleet::start(1).await;
    assert_eq!(advertised(&open, &[("Host", "my.example:8080")]).await, "http://my.example:8080");
    for hostile in ["evil\"><script>", "evil.example/path", "evil example", "evil.example?x", "user@evil.example", "evil\\.example"] {
        let base = advertised(&open, &[("Host", hostile)]).await;
        assert!(base.starts_with("http://localhost:"), "{hostile:?} became {base}");
    }
    open.finish().await;
}
