//! The life of one process. Everything that a process does outside of itself goes through its gate, so killing it is closing
//! the gate: what it still computes nobody ever sees. A process that is paused goes on where it was when it wakes.

use std::future::pending;

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    Paused,
    Dead,
}

/// The gate of one process.
#[derive(Debug)]
pub struct Gate {
    life: watch::Sender<Life>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { life: watch::Sender::new(Life::Running) }
    }
}

impl Gate {
    /// Lets a running process through at once, a paused one when it wakes, and a dead one never.
    pub async fn pass(&self) {
        let mut life = self.life.subscribe();
        loop {
            match *life.borrow_and_update() {
                Life::Running => return,
                Life::Paused => {}
                Life::Dead => break,
            }
            if life.changed().await.is_err() {
                break;
            }
        }
        pending().await
    }

    /// Resolves when the process is killed.
    pub async fn died(&self) {
        let mut life = self.life.subscribe();
        let _ = life.wait_for(|life| *life == Life::Dead).await;
    }

    /// Whether the process was killed.
    pub fn is_dead(&self) -> bool {
        *self.life.borrow() == Life::Dead
    }

    /// Whether the process stands still.
    pub fn is_paused(&self) -> bool {
        *self.life.borrow() == Life::Paused
    }

    /// Kills the process.
    pub fn kill(&self) {
        self.life.send_replace(Life::Dead);
    }

    /// Makes a running process stand still.
    pub fn pause(&self) {
        self.life.send_if_modified(|life| *life == Life::Running && { *life = Life::Paused; true });
    }

    /// Wakes a paused process.
    pub fn resume(&self) {
        self.life.send_if_modified(|life| *life == Life::Paused && { *life = Life::Running; true });
    }
}
