//! The only DNS client beside the one of `outbound.rs`: TXT records of claimed domains.
//!
//! Owns the bounds: a few seconds in all, a limited number and size of texts, nothing kept, because a re-check must see what DNS
//! says now. Follows aliases as far as the asked server does. Never decides what an answer means for a claim.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

/// How long one server may take for one try.
const TRY: Duration = Duration::from_secs(3);
/// Tries.
const TRIES: usize = 2;
/// How long a look-up may take in all.
const LIMIT: Duration = Duration::from_secs(10);
/// Records looked at. Where challenges stand under a label of their own, there is one or two.
const RECORDS: usize = 64;
/// Longest text looked at; ours has about 70 characters.
const LONGEST: usize = 1024;

/// Asks for TXT records. Cheap to clone.
#[derive(Clone)]
pub struct Dns {
    resolver: Result<TokioResolver, String>,
}

/// What DNS said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Texts {
    /// These texts; perhaps none is the one that was looked for.
    Some(Vec<String>),
    /// There is no such name, or it has no TXT record: a definite answer.
    None(&'static str),
    /// No usable answer, with the reason as a clause. Says nothing about the record.
    NoAnswer(String),
}

impl Dns {
    /// Takes the servers to ask; none means those of the system.
    pub fn new(servers: &[SocketAddr]) -> Self {
        Self {
            resolver: resolver(servers),
        }
    }

    /// Looks up the texts of a name.
    pub async fn texts(&self, name: &str) -> Texts {
        let resolver = match &self.resolver {
            Ok(resolver) => resolver,
            Err(reason) => return Texts::NoAnswer(reason.clone()),
        };
        // The dot at the end keeps search domains of the machine out of it.
        let looked_up = tokio::time::timeout(LIMIT, resolver.txt_lookup(format!("{name}."))).await;
        match looked_up {
            Err(_) => Texts::NoAnswer("no answer in time".to_owned()),
            Ok(Err(error)) if error.is_nx_domain() => Texts::None("there is no such name"),
            Ok(Err(error)) if error.is_no_records_found() => no_records(&error),
            Ok(Err(error)) => Texts::NoAnswer(error.to_string()),
            Ok(Ok(found)) => Texts::Some(
                found
                    .answers()
                    .iter()
                    .filter_map(|record| text(&record.data))
                    .take(RECORDS)
                    .collect(),
            ),
        }
    }
}

/// A server that refuses or fails has no records either, but that is no answer.
fn no_records(error: &hickory_resolver::net::NetError) -> Texts {
    use hickory_resolver::net::{DnsError, NetError};
    use hickory_resolver::proto::op::ResponseCode;
    if let NetError::Dns(DnsError::NoRecordsFound(none)) = error
        && none.response_code != ResponseCode::NoError
    {
        return Texts::NoAnswer(format!("the DNS server answers {}", none.response_code));
    }
    Texts::None("the name has no TXT record")
}

/// Joins the pieces of a TXT record; other records, and texts too long to be ours, are none.
fn text(data: &RData) -> Option<String> {
    let RData::TXT(record) = data else { return None };
    let length: usize = record.txt_data.iter().map(|piece| piece.len()).sum();
    if length > LONGEST {
        return None;
    }
    let bytes: Vec<u8> = record
        .txt_data
        .iter()
        .flat_map(|piece| piece.iter().copied())
        .collect();
    String::from_utf8(bytes).ok()
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, String> {
    let provider = TokioRuntimeProvider::default();
    let mut builder = if servers.is_empty() {
        TokioResolver::builder(provider)
            .map_err(|error| format!("the system names no DNS servers: {error}"))?
    } else {
        let named = servers
            .iter()
            .map(|server| {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
                    .into_iter()
                    .map(|mut connection| {
                        connection.port = server.port();
                        connection
                    })
                    .collect();
                NameServerConfig::new(server.ip(), true, connections)
            })
            .collect();
        TokioResolver::builder_with_config(ResolverConfig::from_name_servers(named), provider)
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.timeout = TRY;
    options.attempts = TRIES;
    options.use_hosts_file = ResolveHosts::Never;
    options.case_randomization = true;
    builder.build().map_err(|error| error.to_string())
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Dns")
    }
}
