//! Addresses, ports, hosts, networks and URLs.

use std::net::IpAddr;

use ipnet::IpNet;

use super::numbers::Whole;
use super::{Described, Kind, Reason, by_rule, parts};
use crate::store::target::RedisTarget;

/// An address to listen on.
pub struct Address;

impl Described for Address {
    fn allowed(&self) -> String {
        "an IP address, such as 127.0.0.1, 0.0.0.0 or ::".to_owned()
    }
}

impl Kind for Address {
    type Value = IpAddr;

    fn parse(&self, text: &str) -> Result<IpAddr, Reason> {
        text.parse().or_else(|_| by_rule())
    }
}

/// A port to listen on. 0 lets the system choose one.
pub struct Port;

impl Described for Port {
    fn allowed(&self) -> String {
        "a port from 0 to 65535 (0: any free one)".to_owned()
    }
}

impl Kind for Port {
    type Value = u16;

    fn parse(&self, text: &str) -> Result<u16, Reason> {
        if text.starts_with("tcp://") {
            return Err(Reason::from(
                "Kubernetes sets this variable in every pod beside a Service called \"backchannel\"; set enableServiceLinks: false in the pod",
            ));
        }
        Whole::<u16>::new(0, 65535).parse(text)
    }
}

/// Host names, comma separated, each with or without a port. Kept in lower case.
pub struct Hosts;

impl Described for Hosts {
    fn allowed(&self) -> String {
        "host names separated by commas, such as bus.example.com,localhost:8080".to_owned()
    }
}

impl Kind for Hosts {
    type Value = Vec<String>;

    fn parse(&self, text: &str) -> Result<Vec<String>, Reason> {
        parts(text)
            .map(|host| match host.parse::<http::uri::Authority>() {
                Ok(authority) if !host.contains('@') && !authority.host().is_empty() && !host.contains('*') => {
                    Ok(host.to_ascii_lowercase())
                }
                _ => Err(Reason::from(format!("{host:?} is not a host name"))),
            })
            .collect()
    }
}

/// Networks in CIDR notation, comma separated; a bare address is a network of one.
pub struct Networks;

impl Described for Networks {
    fn allowed(&self) -> String {
        "addresses or networks separated by commas, such as 10.0.0.0/8,192.0.2.7,fd00::/8".to_owned()
    }
}

impl Kind for Networks {
    type Value = Vec<IpNet>;

    fn parse(&self, text: &str) -> Result<Vec<IpNet>, Reason> {
        parts(text)
            .map(|part| match (part.parse::<IpNet>(), part.parse::<IpAddr>()) {
                (Ok(net), _) => Ok(net.trunc()),
                (_, Ok(address)) => Ok(IpNet::from(address)),
                _ => Err(Reason::from(format!("{part:?} is neither an address nor a network"))),
            })
            .collect()
    }
}

/// The public base URL. Kept without a slash at its end, so that paths can be appended.
pub struct BaseUrl;

impl Described for BaseUrl {
    fn allowed(&self) -> String {
        "an http:// or https:// URL without user, query and fragment, such as https://bus.example.com".to_owned()
    }

    fn shown(&self, text: &str) -> Option<String> {
        Some(without_credentials(text))
    }
}

impl Kind for BaseUrl {
    type Value = String;

    fn parse(&self, text: &str) -> Result<String, Reason> {
        let url = url::Url::parse(text)?;
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
            return by_rule();
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }
}

/// Where Redis is. Credentials in it are never shown.
pub struct RedisUrl;

impl Described for RedisUrl {
    fn allowed(&self) -> String {
        "a redis://, redis-sentinel:// or redis-cluster:// URL, or one of these with rediss for TLS".to_owned()
    }

    fn shown(&self, text: &str) -> Option<String> {
        Some(without_credentials(text))
    }
}

impl Kind for RedisUrl {
    type Value = RedisTarget;

    fn parse(&self, text: &str) -> Result<RedisTarget, Reason> {
        RedisTarget::parse(text).map_err(Reason::from)
    }
}

/// A URL with the user part and the query (both may carry passwords) replaced by stars.
fn without_credentials(url: &str) -> String {
    let (url, query) = match url.split_once('?') {
        Some((url, _)) => (url, "?***"),
        None => (url, ""),
    };
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.rsplit_once('@').map_or_else(|| rest.to_owned(), |(_, host)| format!("***@{host}"));
    if scheme.is_empty() { format!("{host}{query}") } else { format!("{scheme}://{host}{query}") }
}
