//! Who makes the rig suffer: a few that each pick a fault, let it last, mend it and pick another, as their seeds say.
//!
//! Each has something of its own to strike at, so that faults of different kinds overlap by chance, and also no fault is
//! a choice. The first faults of each are given, so that a short run has one of each kind.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::node::Node;
use super::proxy::{Mode, Proxy};
use super::random::Random;
use super::rig::{Rig, readiness};
use crate::services::Kind;
use crate::wait;

/// What can be done to the rig.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    KillNode(&'static str),
    TerminateNode(&'static str),
    PauseNode(&'static str),
    /// The clock of a writer is wrong, by less than it may be or by more.
    SkewClock(&'static str),
    BreakClock(&'static str),
    KillBroker,
    PauseBroker,
    KillDatabase,
    PauseDatabase,
    /// Between nodes and one broker or all of them, or the database.
    Brokers(Mode),
    OneBroker(Mode),
    Database(Mode),
    FillDisk,
}

impl Fault {
    /// What it is called in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::KillNode("c") => "projector killed",
            Self::KillNode(_) => "writer killed",
            Self::TerminateNode("c") => "projector stopped in order",
            Self::TerminateNode(_) => "writer stopped in order",
            Self::PauseNode("c") => "projector paused",
            Self::PauseNode(_) => "writer paused",
            Self::SkewClock(_) => "clock of a writer off by less than it may be",
            Self::BreakClock(_) => "clock of a writer off by more than it may be",
            Self::KillBroker => "broker killed",
            Self::PauseBroker => "broker paused",
            Self::KillDatabase => "database killed",
            Self::PauseDatabase => "database paused",
            Self::Brokers(Mode::Mute) => "replies of all brokers lost",
            Self::Brokers(Mode::Held) => "connections to all brokers held",
            Self::Brokers(_) => "connections to all brokers cut",
            Self::OneBroker(Mode::Mute) => "replies of one broker lost",
            Self::OneBroker(Mode::Held) => "connections to one broker held",
            Self::OneBroker(_) => "connections to one broker cut",
            Self::Database(Mode::Mute) => "replies of the database lost",
            Self::Database(Mode::Held) => "connections to the database held",
            Self::Database(_) => "connections to the database cut",
            Self::FillDisk => "disk full",
        }
    }

    /// Whether it is a SIGKILL, and whether of a server rather than of a node.
    pub(crate) fn is_kill(self) -> bool {
        self.is_kill_of_server() || matches!(self, Self::KillNode(_))
    }

    pub(crate) fn is_kill_of_server(self) -> bool {
        matches!(self, Self::KillBroker | Self::KillDatabase)
    }

    /// For how many milliseconds it lasts. What stands still does so for longer than its session: 3 s of a broker, 6 s of
    /// a connection; what is killed is away for a moment or for a while.
    const fn lasts_ms(self) -> Range<u64> {
        match self {
            Self::None => 100..2_000,
            Self::KillNode(_) | Self::TerminateNode(_) => 50..2_500,
            Self::PauseNode(_) => 6_500..9_000,
            Self::SkewClock(_) => 3_000..8_000,
            Self::BreakClock(_) => 6_000..12_000,
            Self::KillBroker | Self::KillDatabase => 50..4_000,
            Self::PauseBroker | Self::PauseDatabase => 4_000..9_000,
            Self::Brokers(_) | Self::OneBroker(_) | Self::Database(_) => 500..9_000,
            Self::FillDisk => 2_000..6_000,
        }
    }
}

/// How often each fault happened.
pub(crate) type Counts = BTreeMap<&'static str, usize>;

/// What was done in all.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) faults: Counts,
    pub(crate) kills: usize,
    pub(crate) kills_of_servers: usize,
    /// How many of the clocks that were off by too much were noticed by their own nodes.
    pub(crate) clocks_noticed: usize,
    /// While which nodes must have refused everything, since the run began: their clocks were wrong.
    pub(crate) refusing: Vec<Refusing>,
}

/// A node that must not have decided anything in a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusing {
    pub(crate) node: &'static str,
    pub(crate) during: Range<Duration>,
}

impl Done {
    fn note(&mut self, fault: Fault) {
        *self.faults.entry(fault.name()).or_default() += 1;
        self.kills += usize::from(fault.is_kill());
        self.kills_of_servers += usize::from(fault.is_kill_of_server());
    }

    /// How a clock that was off by too much, since `from`, was borne.
    fn note_clock(&mut self, node: &'static str, during: Range<Duration>, is_noticed: bool) {
        self.clocks_noticed += usize::from(is_noticed);
        self.refusing.push(Refusing { node, during });
    }

    fn add(&mut self, other: Self) {
        for (name, count) in other.faults {
            *self.faults.entry(name).or_default() += count;
        }
        self.kills += other.kills;
        self.kills_of_servers += other.kills_of_servers;
        self.clocks_noticed += other.clocks_noticed;
        self.refusing.extend(other.refusing);
    }
}

/// One that strikes at one thing.
struct Nemesis<'a> {
    rig: &'a Rig,
    began: Instant,
    random: Random,
    /// Milliseconds between a fault that was mended and the next.
    pause_ms: Range<u64>,
    first: VecDeque<Fault>,
    /// Some stand there more than once, to be picked more often.
    faults: Vec<Fault>,
    stop: Arc<AtomicBool>,
}

/// By how much a clock is wrong that must be noticed; 60 s are allowed.
const BROKEN_CLOCK_MS: i64 = 90_000;
/// How long a node whose clock is wrong may take to start, to claim a partition and to notice, on a machine that is busy.
const CLOCK_NOTICED_WITHIN: Duration = Duration::from_secs(60);

/// Lets all of them loose on the rig for so long, and breaks one clock when they are done. All faults are mended afterwards,
/// but for nodes that are still starting.
pub(crate) fn strike(rig: &Rig, began: Instant, seed: u64, time: Duration) -> Result<Done> {
    let stop = Arc::<AtomicBool>::default();
    let all = all(rig, began, seed, &stop);
    let mut done = Done::default();
    thread::scope(|scope| {
        let striking: Vec<_> = all.into_iter().map(|nemesis| scope.spawn(move || nemesis.strike())).collect();
        let has_failed = || striking.iter().any(thread::ScopedJoinHandle::is_finished);
        wait::until(time, has_failed);
        stop.store(true, Ordering::Release);
        for one in striking {
            done.add(one.join().map_err(|_| anyhow!("a nemesis panicked"))??);
        }
        done.add(break_a_clock(rig, began)?);
        Ok(done)
    })
}

/// The clock of a writer is wrong while nothing else is, until the writer has noticed. Among other faults it may never come
/// to claim a partition before its clock is set right, and no round is to be without.
fn break_a_clock(rig: &Rig, began: Instant) -> Result<Done> {
    let node = rig.writers.last().context("there is always a writer")?;
    let mut done = Done::default();
    let mend = wrong_clock(node.clone(), BROKEN_CLOCK_MS)?;
    done.note(Fault::BreakClock(node.name));
    let from = began.elapsed();
    let is_noticed = wait::until(CLOCK_NOTICED_WITHIN, || has_noticed_its_clock(node));
    done.note_clock(node.name, from..began.elapsed(), is_noticed);
    mend(rig)?;
    ensure!(is_noticed, "{} did not notice in {CLOCK_NOTICED_WITHIN:?} that its clock is wrong", node.name);
    Ok(done)
}

fn has_noticed_its_clock(node: &Node) -> bool {
    readiness(node).is_some_and(|answer| answer.body.to_string().contains("clock of this node"))
}

fn all<'a>(rig: &'a Rig, began: Instant, seed: u64, stop: &Arc<AtomicBool>) -> Vec<Nemesis<'a>> {
    let of = |number, pause_ms, first: &[Fault], faults: Vec<Fault>| Nemesis {
        rig,
        began,
        random: Random::new(seed, number),
        pause_ms,
        first: first.iter().copied().collect(),
        faults,
        stop: stop.clone(),
    };
    let writer = |name| {
        let mut faults = vec![Fault::None, Fault::TerminateNode(name), Fault::PauseNode(name)];
        faults.extend([Fault::KillNode(name); 5]);
        faults.extend([Fault::SkewClock(name), Fault::BreakClock(name)]);
        faults
    };
    let mut projector = vec![Fault::None, Fault::TerminateNode("c"), Fault::PauseNode("c")];
    projector.extend([Fault::KillNode("c"); 4]);
    let servers = [
        Fault::None,
        Fault::KillBroker,
        Fault::KillBroker,
        Fault::PauseBroker,
        Fault::KillDatabase,
        Fault::KillDatabase,
        Fault::PauseDatabase,
    ];
    let modes = [Mode::Cut, Mode::Held, Mode::Mute];
    let network = modes.map(|mode| [Fault::Brokers(mode), Fault::OneBroker(mode), Fault::Database(mode)]);
    let mut network = network.concat();
    network.push(Fault::None);
    let mut all = vec![
        of(1, 2_000..7_000, &[Fault::KillNode("a"), Fault::PauseNode("a")], writer("a")),
        of(2, 2_000..7_000, &[Fault::TerminateNode("b"), Fault::KillNode("b")], writer("b")),
        of(3, 1_000..6_000, &[Fault::KillNode("c"), Fault::PauseNode("c")], projector),
        of(4, 1_000..5_000, &[Fault::KillBroker, Fault::KillDatabase, Fault::PauseBroker], servers.to_vec()),
        of(5, 2_000..7_000, &[Fault::Brokers(Mode::Cut), Fault::Database(Mode::Held)], network),
    ];
    if rig.between.disk.is_some() {
        all.push(of(6, 5_000..15_000, &[Fault::FillDisk], vec![Fault::FillDisk, Fault::None]));
    }
    all
}

impl Nemesis<'_> {
    fn strike(mut self) -> Result<Done> {
        let mut done = Done::default();
        loop {
            let pause = self.random.milliseconds(self.pause_ms.clone());
            if self.waits(pause) {
                return Ok(done);
            }
            let fault = match self.first.pop_front() {
                Some(fault) => fault,
                None => *self.random.pick(&self.faults),
            };
            let lasts = self.random.milliseconds(fault.lasts_ms());
            let mend = self.inject(fault)?;
            done.note(fault);
            let from = self.began.elapsed();
            self.waits(lasts);
            if let Fault::BreakClock(node) = fault {
                let is_noticed = has_noticed_its_clock(&*self.rig.node(node)?);
                done.note_clock(node, from..self.began.elapsed(), is_noticed);
            }
            mend(self.rig)?;
        }
    }

    /// Whether it is time to stop.
    fn waits(&self, time: Duration) -> bool {
        let is_over = || self.stop.load(Ordering::Acquire);
        wait::until(time, is_over)
    }

    /// Does it; what is returned mends it.
    fn inject(&mut self, fault: Fault) -> Result<Mend> {
        let rig = self.rig;
        match fault {
            Fault::None => Ok(Box::new(|_| Ok(()))),
            Fault::KillNode(name) => down(rig.node(name)?, Node::kill),
            Fault::TerminateNode(name) => down(rig.node(name)?, Node::terminate),
            Fault::PauseNode(name) => {
                let node = rig.node(name)?;
                node.pause();
                Ok(Box::new(move |_| {
                    node.resume();
                    Ok(())
                }))
            }
            Fault::SkewClock(name) => {
                let milliseconds = 2_000 + self.random.among(0..45_000).cast_signed();
                let sign = if self.random.percent(50) { 1 } else { -1 };
                wrong_clock(rig.node(name)?, sign * milliseconds)
            }
            Fault::BreakClock(name) => {
                let sign = if self.random.percent(50) { 1 } else { -1 };
                wrong_clock(rig.node(name)?, sign * BROKEN_CLOCK_MS)
            }
            Fault::KillBroker => server(rig, Kind::Kafka3, Some(self.any_broker()), Rig::kill, Rig::restart),
            Fault::PauseBroker => server(rig, Kind::Kafka3, Some(self.any_broker()), Rig::pause, Rig::resume),
            Fault::KillDatabase => server(rig, Kind::MysqlFaulty, None, Rig::kill, Rig::restart),
            Fault::PauseDatabase => server(rig, Kind::MysqlFaulty, None, Rig::pause, Rig::resume),
            Fault::Brokers(mode) => between(rig, |rig| rig.between.brokers.iter().collect(), mode),
            Fault::OneBroker(mode) => {
                let index = self.any_broker() - 1;
                between(rig, move |rig| rig.between.brokers.get(index).into_iter().collect(), mode)
            }
            Fault::Database(mode) => between(rig, |rig| rig.between.database.iter().collect(), mode),
            Fault::FillDisk => {
                let disk = |rig: &Rig, act: fn(&super::disk::SmallDisk) -> Result<()>| {
                    rig.between.disk.iter().try_for_each(act)
                };
                disk(rig, super::disk::SmallDisk::fill)?;
                Ok(Box::new(move |rig| disk(rig, super::disk::SmallDisk::free)))
            }
        }
    }

    /// Counted from 1.
    fn any_broker(&mut self) -> usize {
        *self.random.pick(&[1, 2, 3])
    }
}

type Mend = Box<dyn FnOnce(&Rig) -> Result<()>>;

fn down(node: Arc<Node>, down: fn(&Node) -> Result<()>) -> Result<Mend> {
    down(&node)?;
    Ok(Box::new(move |_| node.start()))
}

/// A clock is wrong from a start on, as after a night in which nobody set it right.
fn wrong_clock(node: Arc<Node>, milliseconds: i64) -> Result<Mend> {
    node.terminate()?;
    node.set_skew(milliseconds);
    node.start()?;
    Ok(Box::new(move |_| {
        node.terminate()?;
        node.set_skew(0);
        node.start()
    }))
}

type OnServer = fn(&Rig, Kind, Option<usize>) -> Result<()>;

fn server(rig: &Rig, kind: Kind, number: Option<usize>, act: OnServer, mend: OnServer) -> Result<Mend> {
    act(rig, kind, number)?;
    Ok(Box::new(move |rig| mend(rig, kind, number)))
}

fn between(rig: &Rig, which: impl Fn(&Rig) -> Vec<&Proxy> + 'static, mode: Mode) -> Result<Mend> {
    which(rig).into_iter().for_each(|proxy| proxy.set(mode));
    Ok(Box::new(move |rig| {
        which(rig).into_iter().for_each(|proxy| proxy.set(Mode::Open));
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::{Done, Fault};

    #[test]
    fn kills_are_counted_and_those_of_servers_apart() {
        let mut done = Done::default();
        let faults = [Fault::KillNode("a"), Fault::KillNode("b"), Fault::KillBroker, Fault::PauseBroker];
        faults.into_iter().for_each(|fault| done.note(fault));
        let mut all = Done::default();
        all.add(done.clone());
        all.add(done);
        assert_eq!((all.kills, all.kills_of_servers), (6, 2));
        assert_eq!(all.faults["writer killed"], 4);
    }
}
