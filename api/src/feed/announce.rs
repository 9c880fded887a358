//! How readers hear that there is something new: one word for all partitions, and not more often than is good.
//!
//! To wake a thousand readers takes as much of the machine as to decide a few hundred commands. So after each word there is
//! a rest that grows with the number of those who were woken; what comes meanwhile is told with the next word. Reading is
//! delayed by that, deciding is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// The rest for each reader that was woken.
const REST_PER_READER: Duration = Duration::from_micros(100);
/// The longest rest.
pub(super) const REST_MAX: Duration = Duration::from_millis(250);

/// Tells all readers of news. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Announcer {
    word: watch::Sender<()>,
    is_news: Arc<Notify>,
    readers: Arc<AtomicU32>,
}

impl Default for Announcer {
    fn default() -> Self {
        let (word, _) = watch::channel(());
        Self { word, is_news: Arc::default(), readers: Arc::default() }
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
            self.word.send_replace(());
            let rest = (REST_PER_READER * self.readers.load(Ordering::Relaxed)).min(REST_MAX);
            if !rest.is_zero() {
                tokio::time::sleep(rest).await;
            }
        }
    }

    /// There is something new.
    pub(super) fn tell(&self) {
        self.is_news.notify_one();
    }

    /// Hears of everything that is told from now on.
    pub(super) fn listen(&self) -> News {
        self.readers.fetch_add(1, Ordering::Relaxed);
        News { word: self.word.subscribe(), readers: Some(Arc::clone(&self.readers)) }
    }

    /// The same for one who listens for a moment only and is not counted.
    pub(super) fn listen_quietly(&self) -> News {
        News { word: self.word.subscribe(), readers: None }
    }
}

/// What one reader hears.
#[derive(Debug)]
pub(super) struct News {
    word: watch::Receiver<()>,
    readers: Option<Arc<AtomicU32>>,
}

impl News {
    /// Waits for the next word that was not heard; for ever if no more will come. Dropped before it comes it took
    /// nothing.
    pub(super) async fn next(&mut self) {
        if self.word.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for News {
    fn drop(&mut self) {
        if let Some(readers) = &self.readers {
            readers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
