//! The memory log passes the suite, and every fault does what it says and nothing else.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot::error::TryRecvError;

use super::{Answer, Fate, Landing, MemoryLog};
use crate::conformance::{Factory, PARTITIONS, as_entries, numbered};
use crate::{Acknowledgement, Delivery, Entry, Error, Log};

struct InMemory;

#[async_trait]
impl Factory for InMemory {
    async fn create(&self) -> Arc<dyn Log> {
        Arc::new(MemoryLog::new(PARTITIONS))
    }
}

crate::conformance_suite!(conforms, InMemory);

/// Appends a batch of three under each fate; shows what was answered and what the partition then holds. After that
/// everything in flight is released, the newest first, and both are shown again.
#[test]
fn every_fate_does_what_it_says() {
    let table = [
        (Landing::AtOnce, Answer::Offsets, "0 1 2 | abc", "0 1 2 | abc"),
        (Landing::AtOnce, Answer::WithoutOffsets, "+ + + | abc", "+ + + | abc"),
        (Landing::AtOnce, Answer::Unknown, "? ? ? | abc", "? ? ? | abc"),
        (Landing::AtOnce, Answer::Held, "nothing | abc", "0 1 2 | abc"),
        (Landing::Held, Answer::Offsets, "nothing | ", "0 1 2 | abc"),
        (Landing::Held, Answer::WithoutOffsets, "nothing | ", "+ + + | abc"),
        (Landing::Held, Answer::Unknown, "? ? ? | ", "? ? ? | abc"),
        (Landing::Held, Answer::Held, "nothing | ", "0 1 2 | abc"),
        (Landing::Without(1), Answer::Offsets, "0 ? 1 | ac", "0 ? 1 | ac"),
        (Landing::Without(1), Answer::WithoutOffsets, "+ ? + | ac", "+ ? + | ac"),
        (Landing::Late(0), Answer::Offsets, "? 0 1 | bc", "? 0 1 | bca"),
        (Landing::Late(2), Answer::Held, "nothing | ab", "0 1 ? | abc"),
        (Landing::Twice(1), Answer::Offsets, "0 1 3 | abbc", "0 1 3 | abbc"),
        (Landing::Again(0), Answer::Offsets, "0 1 2 | abc", "0 1 2 | abca"),
        (Landing::Without(3), Answer::Offsets, "0 1 2 | abc", "0 1 2 | abc"),
    ];
    for (landing, answer, at_first, in_the_end) in table {
        let log = MemoryLog::new(1);
        let faults = log.faults();
        faults.plan(0, Fate { landing, answer });
        let mut acknowledgement = log.producer(0).unwrap().append(letters("abc"));
        let mut answered = None;
        assert_eq!(
            shown(&log, &mut acknowledgement, &mut answered),
            at_first,
            "{landing:?} {answer:?} at first"
        );
        while let Some(newest) = faults.in_flight(0).checked_sub(1) {
            assert!(faults.release(0, newest));
        }
        assert_eq!(
            shown(&log, &mut acknowledgement, &mut answered),
            in_the_end,
            "{landing:?} {answer:?} in the end"
        );
        assert_eq!(faults.planned(0), 0);
    }
}

#[test]
fn a_fate_strikes_one_batch_of_its_partition() {
    let log = MemoryLog::new(2);
    log.faults().plan(1, Fate::HEALTHY);
    log.faults().plan(1, Fate::answer(Answer::Unknown));
    let mut other = log.producer(0).unwrap();
    let mut struck = log.producer(1).unwrap();
    let answers: Vec<String> =
        [other.append(letters("a")), struck.append(letters("b")), other.append(letters("c"))]
            .into_iter()
            .chain([struck.append(letters("d")), struck.append(letters("e"))])
            .map(|mut acknowledgement| answer_of(&mut acknowledgement))
            .collect();
    assert_eq!(answers, ["0", "0", "1", "?", "2"]);
}

#[test]
fn answers_and_batches_are_released_in_any_order() {
    let log = MemoryLog::new(1);
    let faults = log.faults();
    let mut producer = log.producer(0).unwrap();
    let fates = [Fate::landing(Landing::Held), Fate::answer(Answer::Held), Fate::landing(Landing::Held)];
    let mut acknowledgements: Vec<Acknowledgement> = ["a", "b", "c"]
        .into_iter()
        .zip(fates)
        .map(|(text, fate)| {
            faults.plan(0, fate);
            producer.append(letters(text))
        })
        .collect();
    assert!(faults.release(0, 2), "the batch c");
    assert_eq!(faults.land(0, letters("x").remove(0)), 2);
    assert!(faults.release(0, 0), "the batch a");
    assert_eq!(answer_of(&mut acknowledgements[1]), "nothing");
    assert!(faults.release(0, 0), "the answer to b");
    assert!(!faults.release(0, 0));
    let answers: Vec<String> = acknowledgements.iter_mut().map(answer_of).collect();
    assert_eq!(answers, ["3", "0", "1"]);
    assert_eq!(values(&log), "bcxa");
}

#[test]
fn what_is_lost_never_lands_and_is_never_answered() {
    let log = MemoryLog::new(1);
    let faults = log.faults();
    faults.plan(0, Fate::landing(Landing::Held));
    let mut acknowledgement = log.producer(0).unwrap().append(letters("a"));
    assert!(faults.lose(0, 0));
    assert!(!faults.lose(0, 0));
    assert_eq!(acknowledgement.try_recv().err(), Some(TryRecvError::Closed));
    assert_eq!(values(&log), "");
}

#[tokio::test]
async fn an_unavailable_log_takes_nothing_and_recovers() {
    let log = MemoryLog::new(1);
    let faults = log.faults();
    let mut producer = log.producer(0).unwrap();
    let mut reader = log.reader(0, 0).await.unwrap();
    assert_eq!(answer_of(&mut producer.append(letters("a"))), "0");
    faults.set_available(false);
    assert_eq!(answer_of(&mut producer.append(letters("bc"))), "? ?");
    assert!(matches!(log.producer(0), Err(Error::Unavailable { .. })));
    assert!(matches!(log.reader(0, 0).await, Err(Error::Unavailable { .. })));
    assert!(matches!(log.bounds(0).await, Err(Error::Unavailable { .. })));
    assert!(matches!(log.fetch(0, 0).await, Err(Error::Unavailable { .. })));
    assert!(matches!(reader.next(1, Duration::ZERO).await, Err(Error::Unavailable { .. })));
    faults.set_available(true);
    assert_eq!(answer_of(&mut producer.append(letters("d"))), "1");
    assert_eq!(as_entries(reader.next(9, Duration::ZERO).await.unwrap()), letters("ad"));
}

#[tokio::test]
async fn as_many_reads_fail_as_the_test_wants() {
    let log = MemoryLog::new(2);
    log.faults().fail_reads(1, 2);
    assert!(log.bounds(0).await.is_ok());
    assert!(matches!(log.bounds(1).await, Err(Error::Unavailable { .. })));
    assert!(matches!(log.fetch(1, 0).await, Err(Error::Unavailable { .. })));
    assert_eq!(log.fetch(1, 0).await.unwrap(), None);
}

#[tokio::test]
async fn deleted_history_is_told_from_what_is_yet_to_come() {
    let log = MemoryLog::new(1);
    log.producer(0).unwrap().append(letters("abcd"));
    let mut reader = log.reader(0, 1).await.unwrap();
    log.faults().delete_before(0, 2);
    let error = reader.next(1, Duration::ZERO).await;
    assert!(matches!(error, Err(Error::Truncated { begin: 2, wanted: 1 })), "{error:?}");
    log.faults().cut_off(0, 3);
    assert_eq!(log.fetch(0, 2).await.unwrap().map(|record| record.offset), Some(2));
    assert_eq!(log.fetch(0, 3).await.unwrap(), None);
    let bounds = log.bounds(0).await.unwrap();
    assert_eq!((bounds.begin, bounds.end), (2, 3));
}

#[tokio::test]
async fn records_carry_the_time_that_the_test_set() {
    let log = MemoryLog::new(1);
    let mut producer = log.producer(0).unwrap();
    producer.append(letters("a"));
    log.faults().set_clock_ms(1_500);
    producer.append(letters("b"));
    let mut reader = log.reader(0, 0).await.unwrap();
    let times: Vec<i64> =
        reader.next(2, Duration::ZERO).await.unwrap().iter().map(|record| record.appended_at_ms).collect();
    assert_eq!(times, [0, 1_500]);
}

#[tokio::test(start_paused = true)]
async fn a_test_can_wait_for_what_it_needs() {
    let log = MemoryLog::new(1);
    let faults = log.faults();
    faults.plan(0, Fate::landing(Landing::Held));
    let appended = async {
        tokio::task::yield_now().await;
        let acknowledgement = log.producer(0).unwrap().append(letters("ab"));
        acknowledgement.await.expect("the batch is answered").len()
    };
    let released = async {
        faults.until_in_flight(0, 1).await;
        assert_eq!(values(&log), "");
        faults.release(0, 0)
    };
    let everything = async { tokio::join!(appended, released, faults.until_end(0, 2)) };
    let (answered, released, ()) =
        tokio::time::timeout(Duration::from_secs(10), everything).await.expect("both conditions are reached");
    assert!(released);
    assert_eq!(answered, 2);
}

/// One entry per letter.
fn letters(text: &str) -> Vec<Entry> {
    let mut entries = numbered("letter", 0..text.len() as u64);
    for (entry, letter) in entries.iter_mut().zip(text.chars()) {
        entry.value = String::from(letter).into();
    }
    entries
}

fn shown(log: &MemoryLog, acknowledgement: &mut Acknowledgement, answered: &mut Option<String>) -> String {
    let answer = answered.get_or_insert_with(|| answer_of(acknowledgement)).clone();
    if answer == "nothing" {
        *answered = None;
    }
    format!("{answer} | {}", values(log))
}

/// What a producer heard: offsets, `+` for an unknown offset, `?` for an unknown outcome.
fn answer_of(acknowledgement: &mut Acknowledgement) -> String {
    let Ok(deliveries) = acknowledgement.try_recv() else { return "nothing".to_owned() };
    let words = deliveries.into_iter().map(|delivery| match delivery {
        Delivery::Appended { offset: Some(offset) } => offset.to_string(),
        Delivery::Appended { offset: None } => "+".to_owned(),
        Delivery::Unknown(_) => "?".to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The values of partition 0, one behind the other.
fn values(log: &MemoryLog) -> String {
    let records = log.shared.read(0, |partition| partition.read(0, usize::MAX)).unwrap();
    records.iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect()
}
