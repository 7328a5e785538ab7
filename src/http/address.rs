//! Where a request comes from and under which URL we are seen, trusting only what trusted proxies say.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;
use http::header::{HOST, HeaderName};
use ipnet::IpNet;

use crate::settings::Settings;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The client's address: the peer, unless it is a trusted proxy; then the rightmost hop of X-Forwarded-For that is not trusted.
/// Without such a hop it is the peer again (protocol, chapter 2).
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = canonical(peer);
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let hops = headers
        .get_all(&X_FORWARDED_FOR)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(str::trim)
        .collect::<Vec<_>>();
    for hop in hops.iter().rev() {
        match parse_hop(hop) {
            Some(address) if is_trusted(address, trusted) => {}
            Some(address) => return address,
            None => break, // what stands left of nonsense was not vouched for by anyone
        }
    }
    peer
}

/// Whom a limit per address counts together: an IPv6 client owns a whole /64.
pub fn limit_group(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & (u128::MAX << 64))),
    }
}

fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|h| h.split(']').next()).unwrap_or(hop);
    bare.parse().ok().or_else(|| bare.parse::<SocketAddr>().ok().map(|a| a.ip())).map(canonical)
}

fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// Whether the request reached us, or the trusted proxy before us, over TLS.
pub fn is_https(peer: IpAddr, headers: &HeaderMap, settings: &Settings) -> bool {
    forwarded(peer, headers, settings, &X_FORWARDED_PROTO).is_some_and(|p| p.eq_ignore_ascii_case("https"))
        || settings.base_url.as_deref().is_some_and(|b| b.starts_with("https://"))
}

/// The URL to advertise: the setting, else the request's host if it is allowed. A hostile host is never echoed (protocol, chapter 10).
pub fn base_url(peer: IpAddr, headers: &HeaderMap, https: bool, settings: &Settings) -> String {
    if let Some(base) = &settings.base_url {
        return base.trim_end_matches('/').to_owned();
    }
    let scheme = if https { "https" } else { "http" };
    let asked = forwarded(peer, headers, settings, &X_FORWARDED_HOST)
        .or_else(|| headers.get(HOST).and_then(|h| h.to_str().ok()))
        .filter(|h| is_plain_host(h));
    let allowed = &settings.allowed_hosts;
    let is_allowed = |host: &&str| {
        allowed.is_empty() || allowed.iter().any(|a| a.eq_ignore_ascii_case(host) || a.eq_ignore_ascii_case(without_port(host)))
    };
    match asked.filter(is_allowed).or(allowed.first().map(String::as_str)) {
        Some(host) => [scheme, "://", host].concat(),
        None => format!("{scheme}://localhost:{}", settings.port),
    }
}

fn forwarded<'a>(peer: IpAddr, headers: &'a HeaderMap, settings: &Settings, name: &HeaderName) -> Option<&'a str> {
    if !is_trusted(canonical(peer), &settings.trusted_proxies) {
        return None;
    }
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.split(',').next().unwrap_or(value).trim())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// A host and port with nothing in it that could end a URL, a header or a quoted string.
fn is_plain_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(s: &str) -> IpAddr {
        s.parse().expect("an address")
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert(name, value.parse().expect("a header value"));
        map
    }

    #[test]
    fn only_what_trusted_hops_tell_counts() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "127.0.0.1/32"].map(|n| n.parse().expect("a net")).to_vec();
        let seen = |peer: &str, list: &str| client_address(ip(peer), &headers("x-forwarded-for", list), &trusted);
        assert_eq!(seen("203.0.113.9", "1.1.1.1"), ip("203.0.113.9"), "a stranger's header says nothing");
        assert_eq!(seen("127.0.0.1", "6.6.6.6, 198.51.100.7, 10.1.2.3"), ip("198.51.100.7"), "the left part may be forged");
        assert_eq!(seen("::ffff:10.0.0.1", "198.51.100.7:4711"), ip("198.51.100.7"));
        assert_eq!(seen("127.0.0.1", "10.1.1.1, 10.1.1.2"), ip("127.0.0.1"), "all trusted: the peer");
        assert_eq!(seen("127.0.0.1", "nonsense"), ip("127.0.0.1"));
        assert_eq!(seen("127.0.0.1", "[2001:db8::7]:99"), ip("2001:db8::7"));
    }

    #[test]
    fn a_hostile_host_is_never_echoed() {
        let settings =
            |pairs: &[(&str, &str)]| Settings::from_pairs(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))).expect("settings");
        let seen = |name, value: &str, settings: &Settings| {
            let (peer, headers) = (ip("9.9.9.9"), headers(name, value));
            base_url(peer, &headers, is_https(peer, &headers, settings), settings)
        };
        let open = settings(&[]);
        assert_eq!(seen("host", "bus.example:8080", &open), "http://bus.example:8080");
        assert_eq!(seen("host", "evil\"><script>", &open), "http://localhost:8080");
        let listed = settings(&[("BACKCHANNEL_ALLOWED_HOSTS", "bus.example,other.example")]);
        assert_eq!(seen("host", "evil.example", &listed), "http://bus.example");
        assert_eq!(seen("host", "other.example", &listed), "http://other.example");
        assert_eq!(seen("x-forwarded-host", "other.example", &listed), "http://bus.example", "only a trusted proxy may say so");
        let fixed = settings(&[("BACKCHANNEL_BASE_URL", "https://bus.example/")]);
        assert_eq!(seen("host", "evil.example", &fixed), "https://bus.example");
    }
}
