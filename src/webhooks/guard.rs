//! Where webhooks may lead: public addresses only, unless the operator allows more.
//!
//! What counts is the address of the connection itself. The resolver below is the only one that the HTTP client has, and the addresses that it
//! has checked are those that are connected to, so a name that resolves differently the next time gains nothing. The client does not
//! ask a resolver about addresses that stand in the URL: those are checked before each request.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::settings::Settings;

/// Whether this address is one of the public internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => {
            let s = v6.segments();
            match v6.to_ipv4_mapped() {
                Some(v4) => is_public_v4(v4),
                // NAT64 carries an IPv4 address; 64:ff9b:1::/48 is for local use.
                None if s[0] == 0x0064 && s[1] == 0xff9b => s[2..6] == [0; 4] && is_public_v4(low_v4(s[6], s[7])),
                None if s[0] == 0x2002 => false,                                      // 6to4 carries one too
                None if s[0] == 0x2001 && (s[1] < 0x0200 || s[1] == 0x0db8) => false, // Teredo, ORCHID, benchmarks, documentation
                None if s[0] == 0x3fff && s[1] < 0x1000 => false,                     // documentation
                None => (s[0] & 0xe000) == 0x2000,                                    // global unicast
            }
        }
    }
}

fn low_v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let refused = match v4.octets() {
        [0 | 10 | 127, ..] | [224..=255, ..] => true, // this network, private, loopback, multicast, reserved, broadcast
        [100, 64..128, ..] => true,                   // carrier-grade NAT
        [169, 254, ..] => true,                       // link-local, where clouds keep their metadata
        [172, 16..32, ..] | [192, 168, ..] => true,   // private
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => true, // protocol assignments, documentation
        [192, 88, 99, _] => true,                     // 6to4 relays
        [198, 18 | 19, ..] => true,                   // benchmarks
        _ => false,
    };
    !refused
}

/// Why something is not connected to: words for the owner of the webhook, without an address of the operator's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the address is not public")]
    Address,
    #[error("the port is not allowed; 80, 443 and those from 1024 on are")]
    Port,
    #[error("the URL is not http or https with a host and without credentials")]
    Url,
}

/// Asks for the addresses of a name.
pub trait Lookup: Send + Sync {
    fn addresses(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver.
struct System;

impl Lookup for System {
    fn addresses(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    }
}

/// What webhooks may lead to. Clones share all of it.
#[derive(Clone)]
pub struct Guard {
    networks: Arc<[IpNet]>,
    private: bool,
    lookup: Arc<dyn Lookup>,
}

impl Guard {
    pub fn of(settings: &Settings) -> Self {
        Self::new(&settings.webhook_allow_networks, settings.webhook_allow_private, Arc::new(System))
    }

    pub fn new(networks: &[IpNet], private: bool, lookup: Arc<dyn Lookup>) -> Self {
        Self { networks: networks.into(), private, lookup }
    }

    /// Whether this address may be connected to.
    pub fn allows(&self, ip: IpAddr) -> bool {
        self.private || is_public(ip) || self.networks.iter().any(|network| network.contains(&ip) || network.contains(&ip.to_canonical()))
    }

    /// What can be known of a URL without asking for addresses. The parsed URL decides: `http://0x7f.1` is 127.0.0.1 there.
    ///
    /// # Errors
    /// Why nothing is sent there.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Url);
        }
        let ip = match url.host().ok_or(Refused::Url)? {
            Host::Ipv4(v4) => Some(IpAddr::V4(v4)),
            Host::Ipv6(v6) => Some(IpAddr::V6(v6)),
            // Every resolver takes these for this very machine (RFC 6761).
            Host::Domain(name) if is_localhost(name) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Host::Domain(_) => None,
        };
        if ip.is_some_and(|ip| !self.allows(ip)) {
            return Err(Refused::Address);
        }
        let port = url.port_or_known_default().ok_or(Refused::Url)?;
        if self.private || matches!(port, 80 | 443 | 1024..) { Ok(()) } else { Err(Refused::Port) }
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

impl Resolve for Guard {
    /// Strict: one address that is not allowed refuses the name.
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.lookup.addresses(name.as_str().to_owned()).await?;
            if addresses.iter().any(|address| !guard.allows(address.ip())) {
                return Err(Box::new(Refused::Address) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict() -> Guard {
        Guard::new(&[], false, Arc::new(System))
    }

    #[test]
    fn every_form_of_an_address_that_is_not_public_is_refused() {
        for ip in [
            "127.0.0.1",
            "127.255.255.255",
            "10.1.1.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "169.254.170.2",
            "100.64.0.1",
            "100.127.255.255",
            "0.0.0.0",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "192.0.0.192",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::808:808",
            "64:ff9b:0:1::808:808",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
            "100::1",
        ] {
            assert!(!is_public(ip.parse().expect("an address")), "{ip}");
        }
        for ip in
            ["1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.0.1.1", "169.253.0.1", "223.255.255.255"]
        {
            assert!(is_public(ip.parse().expect("an address")), "{ip}");
        }
        for ip in ["2606:4700::1111", "2001:4860:4860::8888", "64:ff9b::101:101", "::ffff:1.1.1.1", "2a00::1"] {
            assert!(is_public(ip.parse().expect("an address")), "{ip}");
        }
    }

    #[test]
    fn odd_spellings_of_loopback_are_what_they_mean() {
        for url in [
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://[::ffff:7f00:1]/",
            "http://①②⑦.0.0.1/",
            "http://[::1]:8080/",
            "http://0/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://a.localhost/",
            "http://[64:ff9b::7f00:1]/",
            "http://[fe80::1]/",
            "https://169.254.169.254/latest/meta-data/",
            "http://100.100.100.200/",
        ] {
            assert_eq!(strict().check(&Url::parse(url).expect("a URL")), Err(Refused::Address), "{url}");
        }
    }

    #[test]
    fn schemes_credentials_and_ports_are_checked() {
        let check = |url: &str| strict().check(&Url::parse(url).expect("a URL"));
        for url in
            ["ftp://example.com/", "file:///etc/passwd", "gopher://example.com", "http://user@example.com/", "http://:pw@example.com/"]
        {
            assert_eq!(check(url), Err(Refused::Url), "{url}");
        }
        for url in ["http://example.com:22/", "http://example.com:25/", "https://example.com:1023/", "http://example.com:0/"] {
            assert_eq!(check(url), Err(Refused::Port), "{url}");
        }
        for url in ["http://example.com/", "https://example.com/a?b", "http://example.com:1024/", "https://8.8.8.8:8443/"] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn an_operator_may_allow_networks_or_everything() {
        let url = |text: &str| Url::parse(text).expect("a URL");
        let networks = ["127.0.0.0/8".parse().expect("a network"), "fd00::/8".parse().expect("a network")];
        let some = Guard::new(&networks, false, Arc::new(System));
        for (text, expected) in [
            ("http://127.0.0.1:9/", Err(Refused::Port)),
            ("http://127.0.0.1:9000/", Ok(())),
            ("http://localhost:9000/", Ok(())),
            ("http://[::ffff:127.0.0.1]:9000/", Ok(())),
            ("http://[fd00::1]/", Ok(())),
            ("http://10.0.0.1/", Err(Refused::Address)),
        ] {
            assert_eq!(some.check(&url(text)), expected, "{text}");
        }
        let all = Guard::new(&[], true, Arc::new(System));
        assert_eq!(all.check(&url("http://10.0.0.1:22/")), Ok(()));
        assert_eq!(all.check(&url("file:///etc/passwd")), Err(Refused::Url));
    }
}
