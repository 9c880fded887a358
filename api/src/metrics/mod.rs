//! What is measured, for Prometheus. Names, labels and units are an interface: dashboards and alarms are built on them
//! (`docs/operations/`).
//!
//! What happens is counted where it happens, by handles that cost an atomic operation or two ([`Metrics`]); what stands
//! somewhere is looked up when it is asked for (`standing.rs`). No label has a value that a caller chooses: commands, event
//! types, routes, codes and partitions are all closed sets, so the number of series is bounded whatever is done to the
//! ledger.

mod connections;
mod labels;
pub(crate) mod standing;

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};
use stockledger_schemas::{Decision, Event};
use stockledger_writer::{CommandError, Observer, Reply};

pub use self::connections::Connections;
use self::labels::{CodeLabel, CommandLabel, OutcomeLabels, RequestLabels, RouteLabels, TypeLabel};

/// What every name begins with.
const PREFIX: &str = "stockledger";
/// Upper bounds of durations in seconds: those that OpenTelemetry recommends for HTTP, and finer ones below.
const SECONDS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of how many decisions are made durable together.
const BATCH: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// What is counted. Clones are cheap and count together.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    registry: Registry,
    commands: Family<OutcomeLabels, Counter>,
    command_duration: Histograms<CommandLabel>,
    replays: Counter,
    out_of_stock: Counter,
    commit_duration: Histogram,
    commit_batch: Histogram,
    appended: Family<TypeLabel, Counter>,
    requests: Family<RequestLabels, Counter>,
    request_duration: Histograms<RouteLabels>,
    problems: Family<CodeLabel, Counter>,
    connections: Connections,
}

/// In which form what was measured is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// OpenMetrics 1.0, for whoever asks for it.
    OpenMetrics,
    /// The text format of Prometheus, version 0.0.4.
    Text,
}

impl Form {
    /// Its media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => prometheus_text::CONTENT_TYPE,
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Which program this is", build);
        let parts = Parts {
            commands: counted(
                &mut registry,
                "commands",
                "Commands that were answered, by what they were and what came of it",
            ),
            command_duration: timed(
                &mut registry,
                "command_duration",
                "Time from taking a command to answering it",
                histograms(),
            ),
            replays: counted(
                &mut registry,
                "idempotent_replays",
                "Commands that were answered with an earlier decision",
            ),
            out_of_stock: counted(
                &mut registry,
                "out_of_stock",
                "Orders that were refused because goods were short",
            ),
            commit_duration: timed(
                &mut registry,
                "commit_duration",
                "Time from appending decisions to their being durable",
                seconds(),
            ),
            commit_batch: counted_as(
                &mut registry,
                "commit_batch_events",
                "Decisions that were made durable together",
                Histogram::new(BATCH),
            ),
            appended: counted(
                &mut registry,
                "events_appended",
                "Events that were written by this node, by type",
            ),
            requests: counted(
                &mut registry,
                "http_requests",
                "Requests that were answered, by route and status",
            ),
            request_duration: timed(
                &mut registry,
                "http_request_duration",
                "Time from the head of a request to the head of its answer",
                histograms(),
            ),
            problems: counted(
                &mut registry,
                "http_problems",
                "Requests that were answered with a problem, by its code",
            ),
            connections: Connections::register(&mut registry),
            registry,
        };
        Self(Arc::new(parts))
    }
}

impl Metrics {
    /// Who hears what writers do.
    #[must_use]
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::new(Ears(self.clone()))
    }

    /// The connections of a server.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.0.connections.clone()
    }

    /// A request was answered. `route` is the pattern that its path fits, never the path.
    pub(crate) fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let route = RouteLabels { method, route: route.to_owned() };
        self.0.request_duration.get_or_create(&route).observe(took.as_secs_f64());
        let RouteLabels { method, route } = route;
        self.0.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    /// A request was answered with a problem of this code.
    pub(crate) fn told_problem(&self, code: &'static str) {
        self.0.problems.get_or_create(&CodeLabel { code }).inc();
    }

    /// All that was counted, and what stands somewhere at this moment.
    ///
    /// # Errors
    /// Never, in truth: writing into memory does not fail.
    pub(crate) fn written(&self, standing: &Registry, form: Form) -> Result<String, fmt::Error> {
        let mut text = String::new();
        for registry in [&self.0.registry, standing] {
            match form {
                Form::OpenMetrics => text::encode_registry(&mut text, registry)?,
                Form::Text => prometheus_text::encode(&mut text, registry)?,
            }
        }
        if form == Form::OpenMetrics {
            text::encode_eof(&mut text)?;
        }
        Ok(text)
    }
}

/// What writers do, counted.
#[derive(Debug)]
struct Ears(Metrics);

impl Observer for Ears {
    fn committed(&self, records: usize, took: Duration) {
        let parts = &self.0.0;
        parts.commit_duration.observe(took.as_secs_f64());
        // An append has at most a few hundred.
        parts.commit_batch.observe(u32::try_from(records).unwrap_or(u32::MAX).into());
    }

    fn confirmed(&self, decision: &Decision) {
        for event in &decision.events {
            let label = TypeLabel { r#type: event.type_name() };
            self.0.0.appended.get_or_create(&label).inc();
        }
    }

    fn answered(&self, command: &'static str, outcome: Result<&Reply, &CommandError>, took: Duration) {
        let parts = &self.0.0;
        let labels = OutcomeLabels { command, outcome: outcome_of(outcome) };
        parts.commands.get_or_create(&labels).inc();
        parts.command_duration.get_or_create(&CommandLabel { command }).observe(took.as_secs_f64());
        let Ok(reply) = outcome else { return };
        if reply.replayed {
            parts.replays.inc();
        } else if matches!(reply.decision.events.first(), Some(Event::OutOfStock(_))) {
            parts.out_of_stock.inc();
        }
    }
}

/// One word for what came of a command.
fn outcome_of(outcome: Result<&Reply, &CommandError>) -> &'static str {
    match outcome {
        Ok(reply) => match reply.decision.events.first() {
            Some(Event::OutOfStock(_) | Event::CommandRefused(_)) => "refused",
            _ => "done",
        },
        Err(CommandError::UnknownSite(_)) => "unknown_site",
        Err(CommandError::KeyReused) => "key_reused",
        Err(CommandError::Invalid(_) | CommandError::Misfit(_)) => "invalid",
        Err(CommandError::Changed { .. }) => "changed",
        Err(CommandError::TooLarge(_)) => "too_large",
        Err(CommandError::Overloaded) => "overloaded",
        Err(CommandError::NotApplied(_)) => "not_applied",
        Err(CommandError::Recovering(_)) => "recovering",
        Err(CommandError::NotOwner { .. }) => "not_owner",
        Err(CommandError::Halted { .. }) => "halted",
        Err(CommandError::OutcomeUnknown) => "outcome_unknown",
        Err(CommandError::Internal(_)) => "internal",
    }
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

fn histograms<L: Clone + std::hash::Hash + Eq>() -> Histograms<L> {
    Family::new_with_constructor(seconds)
}

/// Registers what counts something.
fn counted<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    counted_as(registry, name, help, M::default())
}

fn counted_as<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// Registers what is told in seconds.
fn timed<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}
