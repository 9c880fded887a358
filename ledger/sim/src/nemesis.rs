//! What happens to processes, machines, log and database while clients work.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use stockledger_projections::Version;
use stockledger_projections::rebuild::{self, Replay, SwitchWhen};
use stockledger_projections::switch::{self, IfDifferent, Target};
use stockledger_projections::versions::Owner;
use stockledger_schemas::{Genesis, LedgerId, PartitionId, Record, envelope};
use stockledger_writer::{Environment, Ledger, WriterState};

use crate::client::Clients;
use crate::environment::Machine;
use crate::faults::Kind;
use crate::mark::Mark;
use crate::node::{Process, Site, mark_of_halt, may_halt};
use crate::run::PARTITIONS;
use crate::wire::{now_ms, took};

/// Whoever makes trouble.
pub struct Nemesis {
    /// Where.
    pub site: Site,
    /// Whose work is disturbed.
    pub clients: Clients,
    /// The machines of all nodes.
    pub machines: Vec<Arc<Machine>>,
    /// Whether something happens at every occasion, as where a rule is broken that only few faults tell of.
    pub is_focused: bool,
    /// How many processes were started.
    pub started: usize,
}

impl Nemesis {
    /// Makes trouble until it is dropped.
    pub async fn run(&mut self) {
        loop {
            self.site.world.a_while(1_500).await;
            self.look_after();
            let kinds =
                if self.is_focused { self.site.world.lock().faults.possible() } else { Kind::ALL.to_vec() };
            let kind = kinds.get(self.site.world.below(kinds.len())).copied();
            if let Some(kind) = kind.filter(|kind| self.site.world.lock().faults.has(*kind)) {
                self.strike(kind).await;
            }
        }
    }

    async fn strike(&mut self, kind: Kind) {
        match kind {
            Kind::Crashes => self.crash().await,
            Kind::Pauses => self.pause().await,
            Kind::Clocks => self.move_a_clock(),
            Kind::LogAway => self.take_the_log_away().await,
            Kind::StoreAway => self.take_the_store_away().await,
            Kind::Late | Kind::Twice => self.settle_late(),
            Kind::Rebuilds => self.rebuild_or_switch(),
            Kind::BitFlip => self.flip(),
            Kind::Tampering => self.tamper(),
            Kind::NewerFormat => self.write_newer_format(),
            Kind::Truncation => self.truncate(),
            Kind::TailLoss => self.lose_the_tail(),
            _ => {}
        }
    }

    /// The processes that live.
    fn alive(&self) -> Vec<Arc<Process>> {
        let addresses = self.clients.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.iter().filter(|process| !process.gate.is_dead()).cloned().collect()
    }

    fn any(&self) -> Option<Arc<Process>> {
        let alive = self.alive();
        if alive.is_empty() { None } else { Some(alive[self.site.world.below(alive.len())].clone()) }
    }

    /// Starts one more process on a node.
    pub fn start(&mut self, node: usize) -> Arc<Process> {
        let process = self.site.start(self.started, node, self.machines[node].clone());
        self.started += 1;
        let mut addresses = self.clients.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.retain(|process| !process.gate.is_dead());
        addresses.push(process.clone());
        process
    }

    /// Nobody may stop for good unless there is a reason; whoever did for a good one is started again, set right.
    pub fn look_after(&mut self) {
        for process in self.alive() {
            let mut must_restart = process.refused().is_some();
            for (partition, reason) in process.halts() {
                let known = mark_of_halt(&reason);
                known.into_iter().for_each(|mark| self.site.world.mark(mark));
                if !may_halt(&self.site.world, &reason) {
                    let number = process.number;
                    self.site
                        .world
                        .fail(format!("process {number}, partition {partition} stopped: {reason}"));
                }
                must_restart = true;
            }
            self.note_states(&process);
            self.check_progress(&process);
            if must_restart {
                let reason = process.refused().unwrap_or_default();
                if !reason.is_empty() && !self.site.world.lock().faults.harms_the_log() {
                    self.site
                        .world
                        .fail(format!("process {} refuses an honest log: {reason}", process.number));
                }
                self.site
                    .world
                    .tell(format_args!("process {} is taken down by its operator", process.number));
                process.gate.kill();
                process.machine.set_clock_off_ms(0);
                if self.site.world.chance(0.5) && self.site.world.lock().faults.harms_the_log() {
                    process.machine.wipe();
                }
                self.start(process.node);
            }
        }
    }

    fn note_states(&self, process: &Process) {
        for status in process.ledger().map(Ledger::status).unwrap_or_default() {
            match status.writer {
                WriterState::Stalled => self.site.world.mark(Mark::Stalled),
                WriterState::Superseded { .. } => self.site.world.mark(Mark::SteppedDown),
                _ => {}
            }
        }
    }

    /// What a projector shows must be committed.
    fn check_progress(&self, process: &Process) {
        let Some(progress) = process.progress() else { return };
        for status in progress.all() {
            let partition = status.position.partition;
            let committed = self.site.tables.checkpoint(status.version, partition);
            if committed.is_some_and(|committed| committed.next_offset < status.next_offset) {
                self.site.world.fail(format!("partition {partition}: shown before it was committed"));
            }
        }
    }

    async fn crash(&mut self) {
        let Some(process) = self.any() else { return };
        self.site.world.tell(format_args!("process {} is killed", process.number));
        self.site.world.mark(Mark::CrashUnderWay);
        process.gate.kill();
        self.site.world.a_while(3_000).await;
        self.start(process.node);
    }

    async fn pause(&mut self) {
        let Some(process) = self.any().filter(|process| !process.gate.is_paused()) else { return };
        self.site.world.tell(format_args!("process {} stands still", process.number));
        process.gate.pause();
        if self.site.world.chance(0.4) {
            // Somebody takes it for dead and starts another one on its node.
            self.site.world.mark(Mark::TwoOfOneNode);
            self.start(process.node);
        }
        let world = self.site.world.clone();
        let before =
            (0..PARTITIONS).map(|partition| world.lock().topic.at(partition).map_or(0, |at| at.end()));
        let before: Vec<u64> = before.collect();
        tokio::spawn(async move {
            world.a_while(25_000).await;
            if process.gate.is_paused() {
                world.tell(format_args!("process {} wakes", process.number));
                world.mark(Mark::ZombieWoke);
                let moved = |(partition, end): (u16, &u64)| {
                    world.lock().topic.at(partition).is_ok_and(|at| at.end() > *end)
                };
                if (0..PARTITIONS).zip(&before).any(moved) {
                    world.mark(Mark::ZombieWrote);
                }
                process.gate.resume();
            }
        });
    }

    fn move_a_clock(&self) {
        let machine = &self.machines[self.site.world.below(self.machines.len())];
        let off_ms = match self.site.world.below(4) {
            0 => 3_600_000,
            1 => -3_600_000,
            2 => 30_000,
            _ => 0,
        };
        self.site.world.tell(format_args!("a clock is {off_ms} ms off"));
        machine.set_clock_off_ms(off_ms);
    }

    async fn take_the_log_away(&self) {
        self.site.world.tell(format_args!("the log is away"));
        self.site.world.mark(Mark::LogAway);
        self.site.world.lock().log_is_away = true;
        self.site.world.a_while(20_000).await;
        self.site.world.lock().log_is_away = false;
        self.site.world.tell(format_args!("the log is back"));
    }

    async fn take_the_store_away(&self) {
        self.site.world.tell(format_args!("the database is away"));
        self.site.world.lock().store_is_away = true;
        self.site.world.a_while(10_000).await;
        self.site.world.lock().store_is_away = false;
        self.site.world.tell(format_args!("the database is back"));
    }

    /// Something that is under way arrives, or is lost for good.
    pub fn settle_late(&self) {
        let now_ms = now_ms(&self.site.world);
        let partition = self.partition();
        let mut inner = self.site.world.lock();
        let mut rng = inner.rng.fork();
        let Ok(at) = inner.topic.at_mut(partition) else { return };
        let landed = at.settle_late(&mut rng, now_ms);
        drop(inner);
        self.site.world.tell(format_args!("something late at partition {partition}"));
        let _ = took(&self.site.world, landed);
    }

    fn partition(&self) -> u16 {
        u16::try_from(self.site.world.below(usize::from(PARTITIONS))).unwrap_or_default()
    }

    fn rebuild_or_switch(&self) {
        let Some(process) = self.any() else { return };
        let (site, started) = (self.site.clone(), self.site.world.elapsed());
        let is_back = site.world.chance(0.3);
        let when = if site.world.chance(0.8) { SwitchWhen::Level } else { SwitchWhen::Told };
        tokio::spawn(async move {
            let replay = Replay::new(site.log(&process), site.store(&process));
            let environment = site.environment(&process);
            if is_back {
                let switched = switch::switch(&replay, Target::Back, IfDifferent::Refuse).await;
                site.world.tell(format_args!("switch back: {:?}", switched.as_ref().err()));
                return match switched {
                    Ok(_) => site.world.mark(Mark::SwitchedBack),
                    Err(error) => wrong_if_different(&site, &error),
                };
            }
            let owner = Owner::new(format!("{}-{started:?}", process.number));
            let rebuilt = rebuild::rebuild(&replay, &owner, when, environment.now()).await;
            site.world.tell(format_args!("rebuild at process {}: {rebuilt:?}", process.number));
            match rebuilt {
                Ok(rebuilt) if rebuilt.is_resumed => site.world.mark(Mark::RebuildResumed),
                Ok(_) => site.world.mark(Mark::Rebuilt),
                Err(error) => wrong_if_different(&site, &error),
            }
        });
    }

    fn flip(&self) {
        let partition = self.partition();
        let mut inner = self.site.world.lock();
        let mut rng = inner.rng.fork();
        let Ok(at) = inner.topic.at_mut(partition) else { return };
        let offset = at.flip(&mut rng);
        at.must_stop_at = offset.filter(|offset| !self.is_included(partition, *offset));
        drop(inner);
        self.site.world.tell(format_args!("a byte of {partition}@{offset:?} is changed"));
    }

    /// Somebody who can write where the log is stored, and knows its format.
    fn tamper(&self) {
        let partition = self.partition();
        let mut inner = self.site.world.lock();
        let mut rng = inner.rng.fork();
        let Ok(at) = inner.topic.at_mut(partition) else { return };
        let tampered = at.tamper(&mut rng);
        at.must_stop_at =
            tampered.filter(|(offset, _)| !self.is_included(partition, *offset)).map(|(_, next)| next);
        drop(inner);
        self.site.world.tell(format_args!("another decision stands at {partition}@{tampered:?}"));
    }

    /// Whether some tables include the record at an offset.
    fn is_included(&self, partition: u16, offset: u64) -> bool {
        let included = |version: &Version| {
            let checkpoint = self.site.tables.checkpoint(*version, PartitionId(partition));
            checkpoint.is_some_and(|checkpoint| checkpoint.next_offset > offset)
        };
        self.site.tables.versions().iter().any(included)
    }

    /// A program of tomorrow writes a record whose format this one does not know.
    fn write_newer_format(&self) {
        let partition = self.partition();
        let now_ms = now_ms(&self.site.world);
        let bytes = newer_format(PartitionId(partition));
        let mut inner = self.site.world.lock();
        let Ok(at) = inner.topic.at_mut(partition) else { return };
        let offset = at.land_unreadable(bytes, now_ms);
        // After an unclean election tables may include what stood there before.
        at.must_stop_at = offset.filter(|offset| !self.is_included(partition, *offset));
        drop(inner);
        self.site.world.tell(format_args!("a record of a newer format at {partition}@{offset:?}"));
    }

    /// A broker without the last records becomes the leader, while all writers are down.
    fn truncate(&mut self) {
        let partition = self.partition();
        let alive = self.alive();
        let mut inner = self.site.world.lock();
        let mut rng = inner.rng.fork();
        let Ok(at) = inner.topic.at_mut(partition) else { return };
        if at.is_truncated || at.unreadable_from.is_some() || at.end() < 6 {
            return;
        }
        let offset = rng.u64(at.end() / 2..at.end());
        at.is_truncated = true;
        at.lose_what_is_under_way();
        at.cut_off(offset);
        drop(inner);
        self.site.world.tell(format_args!("an unclean election: {partition} ends at {offset}"));
        for process in alive {
            process.gate.kill();
            self.start(process.node);
        }
    }

    /// The only broker crashes with everything on its machine: what was seen but never acknowledged is gone.
    fn lose_the_tail(&mut self) {
        let partition = self.partition();
        let alive = self.alive();
        let mut inner = self.site.world.lock();
        let Ok(at) = inner.topic.at_mut(partition) else { return };
        let (end, acknowledged) = (at.end(), at.acknowledged());
        if at.unreadable_from.is_some() || acknowledged >= end {
            return;
        }
        at.lose_what_is_under_way();
        at.cut_off(acknowledged);
        drop(inner);
        self.site.world.mark(Mark::VisibleTailLost);
        self.site.world.tell(format_args!("{partition} ended at {end} and ends at {acknowledged} now"));
        for process in alive {
            process.gate.kill();
            self.start(process.node);
        }
    }

    /// All trouble ends: what is under way arrives, everybody wakes, clocks are right.
    pub async fn end(&mut self) {
        {
            let mut inner = self.site.world.lock();
            inner.log_is_away = false;
            inner.store_is_away = false;
        }
        while self.site.world.lock().topic.all().any(|partition| partition.late() > 0) {
            self.settle_late();
        }
        for machine in &self.machines {
            machine.set_clock_off_ms(0);
        }
        for process in self.alive() {
            process.gate.resume();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn wrong_if_different(site: &Site, error: &rebuild::Error) {
    if matches!(error, rebuild::Error::Differ { .. }) && !site.world.lock().faults.harms_the_log() {
        site.world.fail(format!("read tables are wrong: {error}"));
    }
}

/// A record of the next format: what this program would write, but for the number.
fn newer_format(partition: PartitionId) -> Bytes {
    let genesis = Genesis { ledger_id: LedgerId([7; 16]), partition, partitions: PARTITIONS, window: 1 };
    let mut bytes = envelope::encode(&Record::Genesis(genesis)).expect("a record");
    bytes[2] = envelope::FORMAT + 1;
    Bytes::from(bytes)
}
