//! How often one client may ask, so that one of them cannot crowd the others out.
//!
//! A client is a credential where the request has one ([`Credential`]), else the address that it came from. Requests from
//! this machine without a credential are not counted: they are the operator's, or those of a proxy that speaks for many.
//! Health is never refused.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock, QuantaInstant};
use governor::middleware::{NoOpMiddleware, RateLimitingMiddleware, StateInformationMiddleware};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::http::App;
use crate::http::patience::Peer;
use crate::http::problem::{Code, Problem};
use crate::http::server::peers::network;

/// Requests of one client per second in the long run, unless the settings say others.
pub const RATE_PER_SECOND: u32 = 1_000;
/// Requests of one client at once, unless the settings say others.
pub const RATE_BURST: u32 = 2_000;
/// Credentials of one address that may be wrong: so many at once, and then one more each time this has passed.
const FAILURES_BURST: NonZeroU32 = NonZeroU32::new(20).expect("it is not zero");
const FAILURE_EVERY: Duration = Duration::from_secs(3);
/// Clients of one kind that are told apart at once; beyond them those that are left share one account.
const CLIENTS_MAX: usize = 10_000;
/// How often those that have been quiet are looked for when there are too many.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Paths that are answered however often they are asked for.
const NEVER_REFUSED: [&str; 4] = ["/livez", "/readyz", "/startupz", "/metrics"];

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// By what credential a request was let in: its public name, never its secret. Set by whoever checks credentials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credential(pub Arc<str>);

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Client {
    Credential(Credential),
    Network(IpAddr),
    /// All networks beyond those that are told apart.
    Others,
}

impl Client {
    fn of(extensions: &Extensions) -> Option<Self> {
        if let Some(credential) = extensions.get::<Credential>() {
            return Some(Self::Credential(credential.clone()));
        }
        let address = extensions.get::<Peer>()?.0.ip();
        let is_ours = address.to_canonical().is_loopback();
        (!is_ours).then(|| Self::Network(network(address)))
    }
}

type Accounts<M> = RateLimiter<Client, HashMapStateStore<Client>, DefaultClock, M>;

/// The accounts of all clients. Clones share them.
#[derive(Clone)]
pub struct Rates {
    /// Absent if any number may come.
    requests: Option<Arc<Requests>>,
    failures: Arc<Accounts<NoOpMiddleware<QuantaInstant>>>,
    /// When accounts were looked through last.
    swept: Arc<Mutex<Option<std::time::Instant>>>,
    clock: DefaultClock,
}

struct Requests {
    accounts: Accounts<StateInformationMiddleware>,
    policy: HeaderValue,
    burst: u32,
    per_second: u32,
}

impl Rates {
    /// So many requests of one client per second, and so many at once; any number if the first is zero.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        let failures = Quota::with_period(FAILURE_EVERY)
            .unwrap_or_else(|| Quota::per_second(FAILURES_BURST))
            .allow_burst(FAILURES_BURST);
        let requests = NonZeroU32::new(per_second).map(|rate| Arc::new(Requests::new(rate, burst)));
        let failures = Arc::new(RateLimiter::hashmap(failures));
        Self { requests, failures, swept: Arc::default(), clock: DefaultClock::default() }
    }

    /// Counts a credential that was wrong.
    ///
    /// # Errors
    /// `rate-limited`, to be answered instead of `unauthenticated`, if too many from this address were wrong. No address is
    /// exempt.
    pub fn count_failure(&self, peer: IpAddr) -> Result<(), Problem> {
        let client = self.told_apart(&self.failures, Client::Network(network(peer)));
        self.failures.check_key(&client).map_err(|refusal| {
            let wait = refusal.wait_time_from(self.clock.now());
            refused("too many wrong credentials came from this address", wait)
        })
    }

    /// Counts a request; what is left to its client, for the headers of the answer.
    fn count(&self, requests: &Requests, client: Client) -> Result<u32, Problem> {
        let client = match client {
            client @ Client::Credential(_) => client,
            client => self.told_apart(&requests.accounts, client),
        };
        match requests.accounts.check_key(&client) {
            Ok(account) => Ok(account.remaining_burst_capacity()),
            Err(refusal) => {
                let what = format!("more than {} requests per second came from you", requests.per_second);
                Err(refused(&what, refusal.wait_time_from(self.clock.now())))
            }
        }
    }

    /// The client, or all the others if there are too many to tell apart. Those that have been quiet are forgotten first.
    fn told_apart<M: RateLimitingMiddleware<QuantaInstant>>(
        &self,
        accounts: &Accounts<M>,
        client: Client,
    ) -> Client {
        if accounts.len() >= CLIENTS_MAX && self.may_sweep() {
            accounts.retain_recent();
        }
        if accounts.len() < CLIENTS_MAX { client } else { Client::Others }
    }

    /// Looking through all accounts takes time, which a flood of strangers must not make everybody spend.
    fn may_sweep(&self) -> bool {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let may = swept.is_none_or(|swept| swept.elapsed() >= SWEEP_EVERY);
        if may {
            *swept = Some(std::time::Instant::now());
        }
        may
    }
}

impl Requests {
    fn new(rate: NonZeroU32, burst: u32) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let window_s = burst.get().div_ceil(rate.get());
        let policy = format!("\"default\";q={burst};w={window_s}");
        Self {
            accounts: RateLimiter::hashmap(Quota::per_second(rate).allow_burst(burst)).with_middleware(),
            policy: HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("")),
            burst: burst.get(),
            per_second: rate.get(),
        }
    }

    /// The headers of draft-ietf-httpapi-ratelimit-headers: what is allowed, what is left of it, and when all of it is
    /// there again.
    fn tell(&self, headers: &mut HeaderMap, left: u32) {
        let full_in_s = (self.burst - left.min(self.burst)).div_ceil(self.per_second);
        headers.insert(RATE_LIMIT_POLICY, self.policy.clone());
        if let Ok(value) = HeaderValue::try_from(format!("\"default\";r={left};t={full_in_s}")) {
            headers.insert(RATE_LIMIT, value);
        }
    }
}

fn refused(what: &str, wait: Duration) -> Problem {
    let whole = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
    let seconds = whole.saturating_add(u32::from(wait.subsec_nanos() > 0)).max(1);
    Problem::new(Code::RateLimited, format!("{what}; wait as long as Retry-After says"))
        .with_retry_after(seconds)
}

/// Runs before every route, after whoever checks credentials.
pub(super) async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    let rates = app.rates();
    let counted = rates.requests.as_deref().zip(Client::of(request.extensions()));
    let Some((requests, client)) = counted else { return next.run(request).await };
    if NEVER_REFUSED.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let (mut response, left) = match rates.count(requests, client) {
        Ok(left) => (next.run(request).await, left),
        Err(problem) => (problem.into_response(), 0),
    };
    requests.tell(response.headers_mut(), left);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> Client {
        Client::Network(IpAddr::V4(std::net::Ipv4Addr::from_bits(number)))
    }

    #[test]
    fn each_client_has_an_account_of_its_own() {
        let rates = Rates::new(1, 2);
        let requests = rates.requests.clone().expect("a bound");
        let key = || Client::Credential(Credential("k".into()));
        for client in [peer(1), peer(2), key()] {
            assert_eq!(rates.count(&requests, client.clone()).unwrap(), 1);
            assert_eq!(rates.count(&requests, client.clone()).unwrap(), 0);
            assert_eq!(rates.count(&requests, client).unwrap_err().code(), Code::RateLimited);
        }
    }

    #[test]
    fn there_are_only_so_many_accounts() {
        let rates = Rates::new(1, 1);
        let requests = rates.requests.clone().expect("a bound");
        for number in 0..2 * u32::try_from(CLIENTS_MAX).unwrap() {
            // Beyond the bound all of them share one account, which is soon used up.
            drop(rates.count(&requests, peer(number)));
        }
        assert!(requests.accounts.len() <= CLIENTS_MAX + 1);
        let credential = Client::Credential(Credential("k".into()));
        assert!(rates.count(&requests, credential).is_ok(), "who has a credential is always told apart");
    }

    #[test]
    fn wrong_credentials_soon_end() {
        let rates = Rates::new(0, 1);
        let guesses: Vec<_> = (0..50).map(|_| rates.count_failure([127, 0, 0, 1].into())).collect();
        let allowed = guesses.iter().filter(|guess| guess.is_ok()).count();
        assert!((20..=21).contains(&allowed), "{allowed}");
        assert!(rates.count_failure([127, 0, 0, 2].into()).is_ok(), "another address is not concerned");
    }

    #[test]
    fn this_machine_is_counted_by_its_credentials_only() {
        let mut extensions = Extensions::new();
        assert_eq!(Client::of(&extensions), None);
        extensions.insert(Peer("127.0.0.1:9".parse().unwrap()));
        assert_eq!(Client::of(&extensions), None);
        extensions.insert(Peer("192.0.2.7:9".parse().unwrap()));
        assert_eq!(Client::of(&extensions), Some(Client::Network("192.0.2.7".parse().unwrap())));
        extensions.insert(Credential("k".into()));
        assert_eq!(Client::of(&extensions), Some(Client::Credential(Credential("k".into()))));
    }
}
