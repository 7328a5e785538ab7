//! Where Redis is: `redis://`, `rediss://` (TLS), `redis-sentinel://`, `redis-cluster://`, and how both clients reach it.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisError, TlsCertificates, io::tcp::TcpSettings,
};
use percent_encoding::percent_decode_str;
use url::Url;

/// A checked Redis URL, and what the settings say beside it. It holds a password: `Debug` does not show it.
#[derive(Clone)]
pub struct RedisTarget {
    kind: Kind,
    authorities: Option<Arc<[u8]>>,
}

/// What the URL's scheme asks for.
#[derive(Clone)]
pub enum Kind {
    /// One server.
    Standalone(Endpoint),
    /// A primary that sentinels know by name.
    Sentinel { sentinels: Vec<Endpoint>, service: String, primary: Login },
    /// A cluster, entered through any of these.
    Cluster(Vec<Endpoint>),
}

/// One server's address and how to log in there.
#[derive(Clone)]
pub struct Endpoint {
    host: String,
    port: u16,
    tls: bool,
    login: Login,
}

/// User, password and database number.
#[derive(Clone, Default)]
pub struct Login {
    user: Option<String>,
    password: Option<String>,
    db: i64,
}

impl std::fmt::Debug for RedisTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisTarget(…)")
    }
}

impl RedisTarget {
    /// Reads a Redis URL. Further sentinels or cluster entries come as `?node=host:port`, a sentinel's primary as
    /// `sentinelServiceName=…`, a sentinel's own login as `sentinelUsername=…&sentinelPassword=…` (the forms fred reads too).
    ///
    /// # Errors
    /// A sentence saying what is allowed; it never repeats the URL, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORMS: &str = "redis://, rediss://, redis-sentinel:// or redis-cluster:// followed by [user:password@]host[:port][/db]";
        let url = Url::parse(text).map_err(|e| format!("not a URL ({e}); allowed: {FORMS}"))?;
        let (kind, tls) = match url.scheme() {
            "redis" => ("one", false),
            "rediss" => ("one", true),
            "redis-sentinel" => ("sentinel", false),
            "rediss-sentinel" => ("sentinel", true),
            "redis-cluster" => ("cluster", false),
            "rediss-cluster" => ("cluster", true),
            other => return Err(format!("unknown scheme {other}; allowed: {FORMS}")),
        };
        let host = url.host_str().filter(|h| !h.is_empty()).ok_or(format!("no host; allowed: {FORMS}"))?;
        let db = match url.path().trim_matches('/') {
            "" => 0,
            n => n.parse().map_err(|_| "the path must be a database number".to_owned())?,
        };
        let decode = |s: &str| percent_decode_str(s).decode_utf8_lossy().into_owned();
        let login = Login { user: Some(decode(url.username())).filter(|u| !u.is_empty()), password: url.password().map(decode), db };
        let query = |name: &str| url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned());
        let own = if kind == "sentinel" {
            Login { user: query("sentinelUsername"), password: query("sentinelPassword"), db: 0 }
        } else {
            login.clone()
        };
        let default_port = if kind == "sentinel" { 26379 } else { 6379 };
        let first =
            Endpoint { host: host.trim_matches(['[', ']']).to_owned(), port: url.port().unwrap_or(default_port), tls, login: own.clone() };
        let mut all = vec![first];
        for (_, node) in url.query_pairs().filter(|(k, _)| k == "node") {
            let (host, port) = node.rsplit_once(':').ok_or("each node= must be host:port")?;
            let port = port.parse().map_err(|_| "each node= must be host:port")?;
            all.push(Endpoint { host: host.trim_matches(['[', ']']).to_owned(), port, tls, login: own.clone() });
        }
        let kind = match kind {
            "one" => Kind::Standalone(all.remove(0)),
            "cluster" => Kind::Cluster(all),
            _ => {
                let service = query("sentinelServiceName").ok_or("redis-sentinel:// needs ?sentinelServiceName=…")?;
                Kind::Sentinel { sentinels: all, service, primary: login }
            }
        };
        Ok(Self { kind, authorities: None })
    }

    /// The same with this password for the servers that hold the data; sentinels keep theirs.
    pub fn with_password(mut self, password: &str) -> Self {
        match &mut self.kind {
            Kind::Standalone(endpoint) => endpoint.login.password = Some(password.to_owned()),
            Kind::Sentinel { primary, .. } => primary.password = Some(password.to_owned()),
            Kind::Cluster(entries) => entries.iter_mut().for_each(|e| e.login.password = Some(password.to_owned())),
        }
        self
    }

    /// The same, trusting certificates of these authorities (PEM) and no others. They must have been read once.
    pub fn with_authorities(mut self, pem: &[u8]) -> Self {
        self.authorities = Some(pem.into());
        self
    }

    /// The authorities to trust instead of the system's, as PEM.
    pub fn authorities(&self) -> Option<&[u8]> {
        self.authorities.as_deref()
    }

    /// The same in the words of the `redis` crate.
    pub fn certificates(&self) -> Option<TlsCertificates> {
        Some(TlsCertificates { client_tls: None, root_cert: Some(self.authorities()?.to_vec()) })
    }

    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// How to log in at the servers that hold the data.
    pub fn login(&self) -> &Login {
        match &self.kind {
            Kind::Standalone(endpoint) => &endpoint.login,
            Kind::Sentinel { primary, .. } => primary,
            Kind::Cluster(entries) => &entries[0].login,
        }
    }

    /// One of the servers that hold the data, where sentinels say that it is.
    pub(super) fn server(&self, host: &str, port: u16) -> Endpoint {
        Endpoint { host: host.to_owned(), port, tls: self.tls(), login: self.login().clone() }
    }

    /// Whether connections are encrypted, those to sentinels too.
    pub fn tls(&self) -> bool {
        match &self.kind {
            Kind::Standalone(endpoint) => endpoint.tls,
            Kind::Sentinel { sentinels: all, .. } | Kind::Cluster(all) => all[0].tls,
        }
    }
}

impl Endpoint {
    /// The server's address in the words of the `redis` crate.
    ///
    /// # Errors
    /// When that crate does not take the address.
    pub fn connection_info(&self) -> Result<ConnectionInfo, RedisError> {
        connection_info(&self.host, self.port, self.tls, &self.login)
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Another server, reached in the same way. Without a host: the same host.
    pub(super) fn at(&self, host: &str, port: u16) -> Self {
        let host = if host.is_empty() { &self.host } else { host };
        Self { host: host.to_owned(), port, tls: self.tls, login: Login { db: 0, ..self.login.clone() } }
    }

    /// `host:port`
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl Login {
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    pub fn db(&self) -> i64 {
        self.db
    }
}

/// Longest time that written data may stay unacknowledged by the peer's kernel: notices a black-holed connection under steady traffic.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(2);

/// What every command connection asks of TCP.
pub fn tcp_settings() -> TcpSettings {
    TcpSettings::default().set_nodelay(true).set_user_timeout(TCP_USER_TIMEOUT)
}

fn connection_info(host: &str, port: u16, tls: bool, login: &Login) -> Result<ConnectionInfo, RedisError> {
    let address = if tls {
        ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host.to_owned(), port)
    };
    let mut redis = RedisConnectionInfo::default().set_db(login.db);
    if let Some(user) = &login.user {
        redis = redis.set_username(user);
    }
    if let Some(password) = &login.password {
        redis = redis.set_password(password);
    }
    Ok(address.into_connection_info()?.set_redis_settings(redis).set_tcp_settings(tcp_settings()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_is_understood() {
        assert!(
            matches!(RedisTarget::parse("redis://:p%40ss@localhost:7000/2").map(|t| t.kind), Ok(Kind::Standalone(e)) if e.port == 7000 && e.login.password.as_deref() == Some("p@ss") && e.login.db == 2)
        );
        assert!(matches!(RedisTarget::parse("rediss://h").map(|t| t.kind), Ok(Kind::Standalone(e)) if e.tls && e.port == 6379));
        assert!(
            matches!(RedisTarget::parse("redis-cluster://a:1?node=b:2&node=c:3").map(|t| t.kind), Ok(Kind::Cluster(v)) if v.len() == 3)
        );
        assert!(
            matches!(RedisTarget::parse("redis-sentinel://:pw@s1:26379/0?sentinelServiceName=main&node=s2:26379").map(|t| t.kind), Ok(Kind::Sentinel { sentinels, service, primary }) if sentinels.len() == 2 && service == "main" && primary.password.as_deref() == Some("pw"))
        );
    }

    #[test]
    fn a_password_from_elsewhere_is_for_the_data_and_not_for_sentinels() {
        let target = RedisTarget::parse("redis-sentinel://user@s1?sentinelServiceName=main&sentinelPassword=theirs&node=s2:1").unwrap();
        let target = target.with_password("ours");
        assert_eq!((target.login().user(), target.login().password()), (Some("user"), Some("ours")));
        let Kind::Sentinel { sentinels, .. } = target.kind() else { panic!("a sentinel target") };
        assert!(sentinels.iter().all(|s| s.login.password() == Some("theirs")));
        let cluster = RedisTarget::parse("redis-cluster://a:1?node=b:2").unwrap().with_password("ours");
        let Kind::Cluster(entries) = cluster.kind() else { panic!("a cluster") };
        assert!(entries.iter().all(|e| e.login.password() == Some("ours")), "whichever is asked first");
    }

    #[test]
    fn a_bad_url_is_refused_without_repeating_it() {
        for bad in ["localhost:6379", "http://:hunter2@h", "redis://h/x", "redis-sentinel://:hunter2@h:1", "redis-cluster://h?node=x"] {
            let why = RedisTarget::parse(bad).err().unwrap_or_default();
            assert!(!why.is_empty() && !why.contains("hunter2"), "{bad}: {why}");
        }
    }
}
