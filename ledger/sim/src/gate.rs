//! The life of one process. Everything that a process does outside of itself goes through its gate, so killing it is closing
//! the gate: what it still computes nobody ever sees. A process that is paused goes on where it was when it wakes.

use std::future::pending;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    Paused,
    Dead,
}

/// The gate of one process. Whoever waits at it is woken in the order of coming: a `watch` channel would wake its receivers
/// in an order that is drawn at random, and not from the seed of the run.
#[derive(Debug)]
pub struct Gate {
    life: Mutex<Life>,
    changed: Notify,
}

impl Default for Gate {
    fn default() -> Self {
        Self { life: Mutex::new(Life::Running), changed: Notify::new() }
    }
}

impl Gate {
    /// Lets a running process through at once, a paused one when it wakes, and a dead one never.
    pub async fn pass(&self) {
        self.until(|life| life != Life::Paused).await;
        if self.is_dead() {
            pending::<()>().await;
        }
    }

    /// Resolves when the process is killed.
    pub async fn died(&self) {
        self.until(|life| life == Life::Dead).await;
    }

    async fn until(&self, is_so: impl Fn(Life) -> bool) {
        while !is_so(self.life()) {
            // On one thread nothing happens between the look and the first poll.
            self.changed.notified().await;
        }
    }

    fn life(&self) -> Life {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, from: &[Life], to: Life) {
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        if from.contains(&life) {
            *life = to;
            self.changed.notify_waiters();
        }
    }

    /// Whether the process was killed.
    pub fn is_dead(&self) -> bool {
        self.life() == Life::Dead
    }

    /// Whether the process stands still.
    pub fn is_paused(&self) -> bool {
        self.life() == Life::Paused
    }

    /// Kills the process.
    pub fn kill(&self) {
        self.change(&[Life::Running, Life::Paused], Life::Dead);
    }

    /// Makes a running process stand still.
    pub fn pause(&self) {
        self.change(&[Life::Running], Life::Paused);
    }

    /// Wakes a paused process.
    pub fn resume(&self) {
        self.change(&[Life::Paused], Life::Running);
    }
}
