//! Name resolution without the C library, whose name services crash in a static binary.
//!
//! Names come from the hosts file and the name servers of resolv.conf, and nowhere else: without a name server an
//! unknown name is an error, never a question to a public one. Both files are read anew when they change.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use hickory_resolver::{
    Hosts, Resolver, TokioResolver,
    config::{ResolveHosts, ResolverConfig, ResolverOpts},
    net::runtime::TokioRuntimeProvider,
    system_conf::parse_resolv_conf,
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

/// Longest time for one question to one name server, whatever resolv.conf says.
const MAX_TIMEOUT: Duration = Duration::from_secs(3);
/// Most repeats of a question, whatever resolv.conf says.
const MAX_ATTEMPTS: usize = 2;
/// Longest time for a whole look-up; below the connect timeout, so that the error names the right cause.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(8);
/// A name that doesn't exist yet is asked for again this soon.
const NEGATIVE_TTL: Duration = Duration::from_secs(1);
/// An address is asked for again after this time at the latest, so that a moved service is found.
const POSITIVE_TTL: Duration = Duration::from_secs(60);

/// Why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("can't resolve `{name}`: {cause}")]
pub struct DnsError {
    /// The name asked for.
    pub name: String,
    /// What the resolver says.
    pub cause: String,
}

/// The resolver of one client.
#[derive(Clone)]
pub struct Dns {
    hosts: PathBuf,
    resolv_conf: PathBuf,
    /// Names that stand for another host: a TLS server name for the address's host.
    aliases: Arc<BTreeMap<String, String>>,
    built: Arc<Mutex<Option<Built>>>,
    order: Arc<Mutex<Order>>,
}

/// Which of several addresses comes first: the one that answered last; after failures, each in turn.
#[derive(Default)]
struct Order {
    answered: Option<IpAddr>,
    failures: usize,
}

impl Order {
    fn sort(&self, addresses: &mut [IpAddr]) {
        if let Some(first) = self.answered.and_then(|ip| addresses.iter().position(|other| *other == ip)) {
            addresses[..=first].rotate_right(1);
        } else if self.answered.is_none() && !addresses.is_empty() {
            addresses.rotate_left(self.failures % addresses.len());
        }
    }
}

struct Built {
    stamp: [Option<SystemTime>; 2],
    resolver: Arc<TokioResolver>,
}

impl Default for Dns {
    fn default() -> Self {
        Self::from_files("/etc/hosts", "/etc/resolv.conf")
    }
}

impl Dns {
    /// A resolver over these two files; either may be missing.
    pub fn from_files(hosts: impl Into<PathBuf>, resolv_conf: impl Into<PathBuf>) -> Self {
        Self {
            hosts: hosts.into(),
            resolv_conf: resolv_conf.into(),
            aliases: Arc::default(),
            built: Arc::default(),
            order: Arc::default(),
        }
    }

    /// This address answered: it is tried first from now on, so that a dead one beside it costs time only once.
    pub fn answered(&self, address: IpAddr) {
        *self.order() = Order { answered: Some(address), failures: 0 };
    }

    /// Nobody answered in time: another address comes first next time.
    pub fn in_vain(&self) {
        let mut order = self.order();
        order.answered = None;
        order.failures = order.failures.wrapping_add(1);
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same resolver, in which `name` has the addresses of `host`.
    #[must_use]
    pub fn with_alias(mut self, name: &str, host: &str) -> Self {
        let mut aliases = (*self.aliases).clone();
        aliases.insert(name.to_ascii_lowercase(), host.trim_matches(['[', ']']).to_owned());
        self.aliases = Arc::new(aliases);
        self
    }

    /// The addresses of a name, without ports.
    ///
    /// # Errors
    /// No such name, no name server, or none that answers within 8 s.
    pub async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        let host = self.aliases.get(&name.to_ascii_lowercase()).map_or(name, String::as_str);
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let failed = |cause: String| DnsError { name: host.to_owned(), cause };
        let resolver = self.resolver().map_err(failed)?;
        match tokio::time::timeout(LOOKUP_TIMEOUT, resolver.lookup_ip(host)).await {
            Ok(Ok(found)) => Ok(found.iter().collect()),
            Ok(Err(error)) if error.is_nx_domain() => Err(failed("there is no such name".to_owned())),
            Ok(Err(error)) if error.is_no_records_found() => {
                Err(failed("no name server knows an address of it".to_owned()))
            }
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!("no name server answered within {} s", LOOKUP_TIMEOUT.as_secs()))),
        }
    }

    /// The resolver for the files as they are now.
    fn resolver(&self) -> Result<Arc<TokioResolver>, String> {
        let stamp = [&self.hosts, &self.resolv_conf]
            .map(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok());
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(built) = built.as_ref().filter(|built| built.stamp == stamp) {
            return Ok(Arc::clone(&built.resolver));
        }
        let resolver = Arc::new(self.build()?);
        *built = Some(Built { stamp, resolver: Arc::clone(&resolver) });
        Ok(resolver)
    }

    fn build(&self) -> Result<TokioResolver, String> {
        let (config, options) = fs::read(&self.resolv_conf)
            .ok()
            .and_then(|text| parse_resolv_conf(text).ok())
            .unwrap_or_else(|| (ResolverConfig::default(), ResolverOpts::default()));
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = bounded(options);
        let mut resolver = builder.build().map_err(|error| error.to_string())?;
        let mut hosts = Hosts::default();
        if let Ok(file) = fs::File::open(&self.hosts) {
            hosts.read_hosts_conf(file).map_err(|error| format!("{}: {error}", self.hosts.display()))?;
        }
        resolver.set_hosts(Arc::new(hosts));
        Ok(resolver)
    }
}

impl Resolve for Dns {
    fn resolve(&self, name: Name) -> Resolving {
        let dns = self.clone();
        Box::pin(async move {
            let mut found = dns.lookup(name.as_str()).await?;
            dns.order().sort(&mut found);
            Ok(Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

fn bounded(mut options: ResolverOpts) -> ResolverOpts {
    options.timeout = options.timeout.min(MAX_TIMEOUT);
    options.attempts = options.attempts.min(MAX_ATTEMPTS);
    options.use_hosts_file = ResolveHosts::Always;
    options.negative_max_ttl = Some(NEGATIVE_TTL);
    options.positive_max_ttl = Some(POSITIVE_TTL);
    options.cache_size = 32;
    options
}

#[cfg(test)]
mod tests;
