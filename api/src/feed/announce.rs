//! How readers hear that there is something new: one word for all partitions, told to one group of readers after the other,
//! and not more often than is good.
//!
//! To wake a thousand readers takes as much of the machine as to decide a few hundred commands, and a command that comes when
//! all of them were woken at once waits until all were served. So a word is told to a few readers at a time, and after each
//! group there is a rest that grows with the number of those who were woken. What comes meanwhile is told with the next
//! word. Reading is delayed by that, deciding is not.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Groups of readers; a reader joins the smallest.
const GROUPS: usize = 32;
/// The rest for each reader that was woken.
const REST_PER_READER: Duration = Duration::from_micros(100);

/// Tells all readers of news. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Announcer {
    groups: Arc<[watch::Sender<()>]>,
    /// Those who listen for a moment only: they are told first, and nobody rests for them.
    in_passing: watch::Sender<()>,
    is_news: Arc<Notify>,
}

impl Default for Announcer {
    fn default() -> Self {
        let groups = (0..GROUPS).map(|_| watch::Sender::default()).collect();
        Self { groups, in_passing: watch::Sender::default(), is_news: Arc::default() }
    }
}

impl Announcer {
    /// Begins to tell, until it is stopped.
    pub(super) fn begin(&self, stop: CancellationToken) {
        let announcer = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = announcer.run() => {}
            }
        });
    }

    async fn run(self) {
        loop {
            self.is_news.notified().await;
            self.in_passing.send_replace(());
            for group in &*self.groups {
                let readers = u32::try_from(group.receiver_count()).unwrap_or(u32::MAX);
                if readers > 0 {
                    group.send_replace(());
                    tokio::time::sleep(REST_PER_READER.saturating_mul(readers)).await;
                }
            }
        }
    }

    /// There is something new.
    pub(super) fn tell(&self) {
        self.is_news.notify_one();
    }

    /// Hears of everything that is told from now on.
    pub(super) fn listen(&self) -> News {
        let smallest = self.groups.iter().min_by_key(|group| group.receiver_count());
        News(smallest.unwrap_or(&self.in_passing).subscribe())
    }

    /// The same for one who listens for a moment only.
    pub(super) fn listen_in_passing(&self) -> News {
        News(self.in_passing.subscribe())
    }
}

/// What one reader hears.
#[derive(Debug)]
pub(super) struct News(watch::Receiver<()>);

impl News {
    /// Waits for the next word that was not heard; for ever if no more will come. Dropped before it comes it took
    /// nothing.
    pub(super) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    use super::{Announcer, GROUPS, REST_PER_READER};

    const READERS: usize = 3 * GROUPS;

    #[tokio::test(start_paused = true)]
    async fn every_reader_hears_of_news_a_group_after_the_other() {
        let announcer = Announcer::default();
        let mut readers: Vec<_> = (0..READERS).map(|_| announcer.listen()).collect();
        assert!(announcer.groups.iter().all(|group| group.receiver_count() == READERS / GROUPS));
        let mut passing = announcer.listen_in_passing();
        let stop = CancellationToken::new();
        announcer.begin(stop.clone());
        let began = Instant::now();
        announcer.tell();
        passing.next().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        for reader in &mut readers {
            reader.next().await;
        }
        let rested = REST_PER_READER * u32::try_from(READERS - READERS / GROUPS).unwrap();
        assert!(began.elapsed() >= rested, "they were woken all at once");
        stop.cancel();
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_others_are_told_is_told_to_those_who_were_told_before() {
        let announcer = Announcer::default();
        let mut readers: Vec<_> = (0..READERS).map(|_| announcer.listen()).collect();
        let stop = CancellationToken::new();
        announcer.begin(stop.clone());
        announcer.tell();
        readers[0].next().await;
        announcer.tell();
        readers[0].next().await;
        stop.cancel();
    }
}
