//! A batch in flight: it is answered when the last of its records has its fate.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::Message as _;
use rdkafka::producer::DeliveryResult;
use tokio::sync::oneshot;

use super::fault::{Fault, unavailable};
use crate::{Acknowledgement, Delivery, Error};

/// A batch whose records are on their way. If it is dropped before all have their fates, its channel closes: unknown.
#[derive(Debug)]
pub(super) struct Flight(Mutex<Fates>);

#[derive(Debug)]
struct Fates {
    deliveries: Vec<Option<Delivery>>,
    missing: usize,
    acknowledge: Option<oneshot::Sender<Vec<Delivery>>>,
}

impl Flight {
    /// A flight of so many records. One of none is answered at once.
    pub(super) fn start(records: usize) -> (Arc<Self>, Acknowledgement) {
        let (acknowledge, acknowledgement) = oneshot::channel();
        let deliveries = std::iter::repeat_with(|| None).take(records).collect();
        let mut fates = Fates { deliveries, missing: records, acknowledge: Some(acknowledge) };
        fates.answer_if_complete();
        (Arc::new(Self(Mutex::new(fates))), acknowledgement)
    }

    fn settle(&self, index: usize, delivery: Delivery) {
        let mut fates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if fates.deliveries[index].replace(delivery).is_none() {
            fates.missing -= 1;
            fates.answer_if_complete();
        }
    }
}

impl Fates {
    fn answer_if_complete(&mut self) {
        if self.missing > 0 {
            return;
        }
        if let Some(acknowledge) = self.acknowledge.take() {
            let deliveries = std::mem::take(&mut self.deliveries).into_iter().flatten().collect();
            // A producer that no longer listens does not change what was appended.
            let _ = acknowledge.send(deliveries);
        }
    }
}

/// The place of one record in its batch; the Kafka client carries it along with the record.
#[derive(Debug)]
pub(super) struct Slot {
    flight: Arc<Flight>,
    index: usize,
}

impl Slot {
    pub(super) fn new(flight: &Arc<Flight>, index: usize) -> Self {
        Self { flight: Arc::clone(flight), index }
    }

    /// What the client reports of the record; the fault, if it is one.
    pub(super) fn report(&self, result: &DeliveryResult<'_>) -> Option<Fault> {
        match result {
            Ok(message) => {
                // The broker does not tell the offset of a record that it had already taken before.
                let offset = u64::try_from(message.offset()).ok();
                self.flight.settle(self.index, Delivery::Appended { offset });
                None
            }
            Err((error, _)) => {
                let fault = Fault::reported(error);
                self.fail(fault);
                Some(fault)
            }
        }
    }

    /// The record has no place in the log, as far as is known.
    pub(super) fn fail(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        let error: Error = unavailable("append", source);
        self.flight.settle(self.index, Delivery::Unknown(error));
    }
}

#[cfg(test)]
mod tests {
    use super::{Flight, Slot};
    use crate::Delivery;

    #[test]
    fn a_batch_is_answered_in_its_own_order_when_the_last_record_has_its_fate() {
        let (flight, mut acknowledgement) = Flight::start(2);
        let slots = [Slot::new(&flight, 0), Slot::new(&flight, 1)];
        slots[1].fail("second");
        assert!(acknowledgement.try_recv().is_err());
        slots[0].fail("first");
        let deliveries = acknowledgement.try_recv().unwrap();
        let texts: Vec<String> = deliveries.iter().map(|delivery| format!("{delivery:?}")).collect();
        assert!(matches!(deliveries[..], [Delivery::Unknown(_), Delivery::Unknown(_)]));
        assert!(texts[0].contains("first") && texts[1].contains("second"), "{texts:?}");
    }

    #[test]
    fn a_batch_that_is_forgotten_closes_its_channel() {
        let (flight, mut acknowledgement) = Flight::start(2);
        let (first, second) = (Slot::new(&flight, 0), Slot::new(&flight, 1));
        drop(flight);
        first.fail("known");
        drop((first, second));
        assert_eq!(
            acknowledgement.try_recv().unwrap_err(),
            tokio::sync::oneshot::error::TryRecvError::Closed
        );
    }
}
