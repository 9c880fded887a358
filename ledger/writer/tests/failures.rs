//! Writing while the log loses, delays, repeats and mixes up what it is given: nobody is ever told a lie, nothing is
//! lost, nothing is done twice, and nothing needs hands.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use bytes::Bytes;
use proptest::prelude::*;
use stockledger_chain::{State, admit};
use stockledger_log::memory::{Answer, Fate, Landing};
use stockledger_log::{Entry, Log};
use stockledger_schemas::event::NoteRecorded;
use stockledger_schemas::{
    Claim, Context, Decision, Name, Nonce, PartitionId, Record, Scope, Timestamp, envelope,
};
use stockledger_writer::{CommandError, Options, WriterState};
use support::{Shop, happened, on_hand, order, receive};

/// Any record, written by somebody who is not our writer.
fn foreign(record: &Record) -> Entry {
    Entry::new(Bytes::new(), Bytes::from(envelope::encode(record).unwrap()))
}

async fn foreign_claim(shop: &Shop, term: u64) -> Entry {
    let Record::Genesis(genesis) = shop.records().await.remove(0) else { panic!("no genesis") };
    foreign(&Record::Claim(Claim {
        ledger_id: genesis.ledger_id,
        partition: PartitionId(0),
        term,
        node: Name::new("other").unwrap(),
        url: Some(Name::new("http://other:7070").unwrap()),
        nonce: Nonce([0xff; 16]),
        recorded_at: Timestamp::from_micros(0).unwrap(),
    }))
}

/// A decision of the current term, as it stands in the log.
async fn last_record(shop: &Shop) -> Entry {
    let end = shop.log.bounds(0).await.unwrap().end;
    Entry::new(Bytes::new(), shop.log.fetch(0, end - 1).await.unwrap().unwrap().value)
}

#[tokio::test(start_paused = true)]
async fn a_lost_acknowledgement_is_answered_from_the_log() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    let term = shop.status().term;
    shop.faults.plan(0, Fate::answer(Answer::Unknown));
    let reply = shop.receive(5, "lost").await;
    assert_eq!((on_hand(&reply), reply.replayed), (6, false));
    assert_eq!(shop.times_decided("lost").await, 1);
    shop.ledger.led().await.unwrap();
    assert_eq!(shop.status().term, term + 1, "never on in the old term after an unknown outcome");
}

#[tokio::test(start_paused = true)]
async fn silence_beyond_the_bound_is_an_unknown_outcome() {
    let shop =
        Shop::open_with(|options| Options { answer_within: std::time::Duration::from_secs(60), ..options })
            .await;
    shop.receive(1, "before").await;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let reply = shop.receive(5, "silent").await;
    assert_eq!(on_hand(&reply), 6);
    assert_eq!(shop.times_decided("silent").await, 1);
}

#[tokio::test(start_paused = true)]
async fn while_the_log_is_silent_nothing_new_is_taken() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let first = shop.send(receive(1), "first");
    shop.until_state(WriterState::Stalled).await;
    let began = tokio::time::Instant::now();
    let refused = shop.ask(receive(1), "second").await;
    assert!(matches!(refused, Err(CommandError::NotApplied(_))), "{refused:?}");
    assert_eq!(began.elapsed(), std::time::Duration::ZERO, "nobody waits for a silent log");
    // Of what is in flight nobody may hear that nothing was written.
    assert_eq!(shop.ask(receive(1), "first").await.unwrap_err(), CommandError::OutcomeUnknown);

    assert!(shop.faults.release(0, 0));
    assert_eq!(on_hand(&first.wait().await.unwrap()), 2);
    assert_eq!(on_hand(&shop.ask(receive(1), "first").await.unwrap()), 2);
    shop.until_state(WriterState::Leading).await;
    assert_eq!(on_hand(&shop.receive(1, "second").await), 3);
    assert_eq!(shop.status().term, 1, "silence alone ends no term");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_never_landed_is_decided_again() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    shop.faults.plan(0, Fate::landing(Landing::Without(0)));
    let reply = shop.receive(5, "dropped").await;
    assert_eq!((on_hand(&reply), reply.replayed), (6, false));
    assert_eq!(shop.times_decided("dropped").await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_lost_record_is_void_and_decided_again() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let first = shop.send(receive(1), "first");
    shop.faults.until_in_flight(0, 1).await;
    // The next batch holds four records, of which the second is lost: the two behind it land and count for nothing.
    shop.faults.plan(0, Fate { landing: Landing::Without(1), answer: Answer::Offsets });
    let sent: Vec<_> = (0..4).map(|number| shop.send(receive(1), &format!("key-{number}"))).collect();
    shop.faults.until_end(0, 8).await;
    assert!(shop.faults.release(0, 0));
    assert_eq!(on_hand(&first.wait().await.unwrap()), 2);
    for (number, pending) in sent.into_iter().enumerate() {
        assert_eq!(on_hand(&pending.wait().await.unwrap()), 3 + i64::try_from(number).unwrap());
        assert_eq!(shop.times_decided(&format!("key-{number}")).await, 1);
    }
    assert_eq!(shop.status().void_records, 2);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_lands_after_its_writer_gave_it_up_is_void() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    shop.faults.plan(0, Fate::landing(Landing::Late(0)));
    let reply = shop.receive(5, "late").await;
    assert_eq!(on_hand(&reply), 6);
    assert!(shop.faults.release(0, 0), "the old record lands now, behind the new term's decision");
    assert_eq!(on_hand(&shop.receive(1, "next").await), 7);
    assert_eq!(shop.times_decided("late").await, 1);
    assert_eq!(shop.status().void_records, 1);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_without_an_offset_is_read_back() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    let term = shop.status().term;
    shop.faults.plan(0, Fate::answer(Answer::WithoutOffsets));
    assert_eq!(on_hand(&shop.receive(5, "no offset").await), 6);
    shop.faults.plan(0, Fate::answer(Answer::WithoutOffsets));
    let sent: Vec<_> = (0..3).map(|number| shop.send(receive(1), &format!("key-{number}"))).collect();
    for (number, pending) in sent.into_iter().enumerate() {
        assert_eq!(on_hand(&pending.wait().await.unwrap()), 7 + i64::try_from(number).unwrap());
    }
    assert_eq!(shop.status().term, term, "nothing was in doubt");
}

#[tokio::test(start_paused = true)]
async fn a_void_record_that_slides_in_does_not_end_the_term() {
    let shop = Shop::open().await.stop_and_reopen().await;
    shop.receive(1, "before").await;
    let term = shop.status().term;
    // A claim that comes too late, and a second copy of a decision.
    let (late_claim, copy) = (foreign_claim(&shop, 1).await, last_record(&shop).await);
    shop.faults.land(0, late_claim);
    shop.faults.land(0, copy);
    assert_eq!(on_hand(&shop.receive(5, "behind them").await), 6);
    assert_eq!(on_hand(&shop.receive(5, "and on").await), 11);
    assert_eq!((shop.status().term, shop.status().void_records), (term, 2));
}

/// A second copy of the last decision lands: it does not count, but whatever is appended next stands further behind than
/// its writer expects.
async fn slide_in(shop: &Shop) {
    let copy = last_record(shop).await;
    shop.faults.land(0, copy);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_behind_an_acknowledged_record_waits_for_its_own_acknowledgement() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    slide_in(&shop).await;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let first = shop.send(receive(1), "first");
    shop.faults.until_in_flight(0, 1).await;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let second = shop.send(receive(1), "second");
    shop.faults.until_in_flight(0, 2).await;

    // To read the first one back is to come across the second, which the log has not called durable yet.
    assert!(shop.faults.release(0, 0));
    assert_eq!(on_hand(&first.wait().await.unwrap()), 2);
    let mut second = std::pin::pin!(second.wait());
    let early = tokio::time::timeout(std::time::Duration::from_millis(500), &mut second).await;
    assert!(early.is_err(), "answered before the log acknowledged it: {early:?}");
    assert!(shop.faults.release(0, 0));
    assert_eq!(on_hand(&second.await.unwrap()), 3);
    assert_eq!(shop.status().term, 1, "nothing was in doubt");
}

#[tokio::test(start_paused = true)]
async fn a_lost_record_that_lands_behind_its_successor_is_an_unknown_outcome() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    slide_in(&shop).await;
    // Of three records in one append the second is given up, but lands behind the third before that is known. In the log
    // it then counts, and the third does not.
    shop.faults.plan(0, Fate { landing: Landing::Late(1), answer: Answer::Held });
    let sent: Vec<_> = (0..3).map(|number| shop.send(receive(1), &format!("key-{number}"))).collect();
    shop.faults.until_in_flight(0, 2).await;
    assert!(shop.faults.release(0, 0), "the second record");
    assert!(shop.faults.release(0, 0), "the answer");
    for (number, pending) in sent.into_iter().enumerate() {
        assert_eq!(on_hand(&pending.wait().await.unwrap()), 2 + i64::try_from(number).unwrap());
        assert_eq!(shop.times_decided(&format!("key-{number}")).await, 1);
    }
    let status = shop.status();
    assert_eq!((status.writer, status.term, status.void_records), (WriterState::Leading, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_higher_claim_ends_the_term_and_nobody_is_believed_twice() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    let term = shop.status().term;
    let claim = foreign_claim(&shop, term + 7).await;
    shop.faults.land(0, claim);
    // Our record lands behind the claim: acknowledged, but void. The caller hears that nothing was done.
    let error = shop.ask(receive(5), "behind").await.unwrap_err();
    assert_eq!(
        error,
        CommandError::NotOwner { partition: PartitionId(0), url: Some("http://other:7070".to_owned()) }
    );
    assert_eq!(shop.times_decided("behind").await, 0);
    assert_eq!(shop.state(), WriterState::Superseded { url: Some("http://other:7070".to_owned()) });

    // The other one never writes, so the partition is claimed again after a while.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(shop.state(), WriterState::Leading);
    assert_eq!(shop.status().term, term + 8);
    assert_eq!(on_hand(&shop.receive(5, "behind").await), 6);
}

/// A decision that another writer makes in the term of its claim, continuing the log as it stands.
async fn foreign_decision(shop: &Shop, term: u64) -> Entry {
    let genesis = shop.log.fetch(0, 0).await.unwrap().unwrap();
    let mut state = State::begin(&genesis.value, PartitionId(0)).unwrap();
    for offset in 1..shop.log.bounds(0).await.unwrap().end {
        let record = shop.log.fetch(0, offset).await.unwrap().unwrap();
        state = admit(&state, offset, &record.value).unwrap().next;
    }
    foreign(&Record::Decision(Decision {
        term,
        seq: state.seq + 1,
        prev_hash: state.hash,
        recorded_at: Timestamp::from_micros(0).unwrap(),
        scope: Scope::Site(support::SITE.parse().unwrap()),
        request: None,
        context: Context { note: Some("by another".parse().unwrap()), ..Context::by(support::actor()) },
        events: vec![NoteRecorded {}.into()],
    }))
}

#[tokio::test(start_paused = true)]
async fn another_writers_decision_is_never_taken_for_ours() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    let term = shop.status().term;
    // The first of two equal commands is in flight; the second waits for it to be certain.
    shop.faults.plan(0, Fate::landing(Landing::Held));
    let first = shop.ledger.try_enqueue(support::item("A lamp"), None).unwrap();
    shop.faults.until_in_flight(0, 1).await;
    let second = shop.ledger.try_enqueue(support::item("A lamp"), None).unwrap();
    tokio::task::yield_now().await;
    // Another writer takes over and decides something else at that place; ours lands behind it.
    let claim = foreign_claim(&shop, term + 7).await;
    shop.faults.land(0, claim);
    let decision = foreign_decision(&shop, term + 7).await;
    shop.faults.land(0, decision);
    assert!(shop.faults.release(0, 0));
    for asked in [first, second] {
        match asked.wait().await {
            Ok(reply) => assert_eq!(happened(&reply), "item_registered"),
            Err(error) => assert!(matches!(error, CommandError::NotOwner { .. }), "{error}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_not_called_used_before_it_is() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let first = shop.send(receive(1), "key");
    shop.faults.until_in_flight(0, 1).await;
    let other = shop.send(receive(2), "key");
    tokio::task::yield_now().await;
    // The partition stops before anybody knows what became of the first.
    shop.faults.land(0, Entry::new(Bytes::new(), Bytes::from_static(b"not ours")));
    assert!(shop.faults.release(0, 0));
    let behind = shop.send(receive(1), "behind");
    first.wait().await.unwrap();
    assert_eq!(other.wait().await.unwrap_err(), CommandError::KeyReused, "the first was decided after all");
    assert_eq!(behind.wait().await.unwrap_err(), CommandError::OutcomeUnknown);

    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    shop.faults.land(0, Entry::new(Bytes::new(), Bytes::from_static(b"not ours")));
    let (first, other) = (shop.send(receive(1), "key"), shop.send(receive(2), "key"));
    assert_eq!(first.wait().await.unwrap_err(), CommandError::OutcomeUnknown);
    assert!(matches!(other.wait().await.unwrap_err(), CommandError::NotApplied(_)));
}

#[tokio::test(start_paused = true)]
async fn two_writers_on_one_partition_never_both_count() {
    let one = Shop::open().await;
    one.receive(100, "goods").await;
    let two = Shop::reopen(one.log.clone(), one.environment.clone()).await;
    // Both believe in themselves until the log tells them; each takes orders for all that is left.
    let mut accepted = 0;
    for number in 0..200 {
        let key = format!("order-{number}");
        let shop = if number % 3 == 0 { &one } else { &two };
        match shop.ask(order(&key, 10), &key).await {
            Ok(reply) if happened(&reply) == "order_placed" => accepted += 1,
            Ok(reply) => assert_eq!(happened(&reply), "out_of_stock"),
            Err(
                CommandError::NotOwner { .. } | CommandError::Recovering(_) | CommandError::OutcomeUnknown,
            ) => {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            Err(other) => panic!("{other}"),
        }
    }
    let placed = one.valid_decisions().await;
    let placed = placed.iter().filter(|decision| decision.events[0].type_name() == "order_placed").count();
    assert_eq!((accepted, placed), (10, 10), "ten orders of ten, out of a hundred");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_away_for_a_while_needs_no_hands() {
    let shop =
        Shop::open_with(|options| Options { answer_within: std::time::Duration::from_secs(5), ..options })
            .await;
    shop.receive(1, "before").await;
    shop.faults.set_available(false);
    let error = shop.ask(receive(5), "away").await.unwrap_err();
    assert_eq!(error, CommandError::OutcomeUnknown, "it was sent, so nobody can say yet");
    let error = shop.ask(receive(5), "later").await.unwrap_err();
    assert!(matches!(error, CommandError::NotApplied(why) if why.contains("log does not answer")), "{error}");
    assert_eq!(shop.state(), WriterState::Stalled, "for as long as the log is away");
    shop.faults.set_available(true);
    shop.ledger.led().await.unwrap();
    assert_eq!(on_hand(&shop.receive(5, "away").await), 6);
    assert_eq!(shop.times_decided("away").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_stops_the_partition() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    shop.faults.land(0, Entry::new(Bytes::new(), Bytes::from_static(b"not ours")));
    let error = shop.ask(receive(5), "behind").await.unwrap_err();
    assert_eq!(error, CommandError::OutcomeUnknown);
    let Err(CommandError::Halted { reason, .. }) = shop.ask(receive(5), "later").await else {
        panic!("not halted")
    };
    assert!(reason.contains("too short") || reason.contains("letters SL"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn an_acknowledged_record_that_does_not_come_back_raises_an_alarm() {
    let verify = |options| Options { verify_tail: true, ..options };
    let shop = Shop::open_with(verify).await;
    shop.receive(1, "before").await;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let reply = shop.send(receive(5), "vanishes");
    shop.faults.until_in_flight(0, 1).await;
    let end = shop.log.bounds(0).await.unwrap().end;
    shop.faults.cut_off(0, end - 1);
    assert!(shop.faults.release(0, 0), "acknowledged, but gone");
    reply.wait().await.unwrap();
    let mut waited = 0;
    while !matches!(shop.state(), WriterState::Halted { .. }) {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        waited += 1;
        assert!(waited < 120, "no alarm");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_not_answered_from_a_record_that_took_the_place_of_another() {
    let shop = Shop::open().await;
    shop.receive(1, "before").await;
    let end = shop.log.bounds(0).await.unwrap().end;
    let before = shop.log.fetch(0, end - 1).await.unwrap().unwrap();
    shop.receive(5, "replaced").await;
    shop.faults.cut_off(0, end);
    shop.faults.land(0, Entry::new(before.key, before.value));
    let Err(CommandError::Internal(reason)) = shop.ask(receive(5), "replaced").await else {
        panic!("answered from another record")
    };
    assert!(reason.contains("history was changed"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn the_tail_verifier_is_content_with_an_honest_log() {
    let shop = Shop::open_with(|options| Options { verify_tail: true, ..options }).await;
    for number in 0..300 {
        shop.receive(1, &format!("key-{number}")).await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(shop.state(), WriterState::Leading);
}

#[tokio::test(start_paused = true)]
async fn a_writer_with_nothing_to_do_learns_that_another_took_its_partition() {
    let verify = |options| Options { verify_tail: true, ..options };
    let first = Shop::open_with(verify).await;
    let second = Shop::reopen_with(first.log.clone(), first.environment.clone(), verify).await;
    first.until_state(WriterState::Superseded { url: None }).await;
    let error = first.ask(receive(1), "elsewhere").await.unwrap_err();
    assert!(matches!(error, CommandError::NotOwner { .. }), "{error}");
    assert_eq!(second.state(), WriterState::Leading);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_far_off_must_not_write() {
    let shop = Shop::open().await;
    shop.ledger.stop().await;
    shop.faults.set_clock_ms(120_000);
    let ledger = stockledger_writer::Ledger::start(
        std::sync::Arc::new(shop.log.clone()),
        shop.environment.clone(),
        Options::new(Name::new("test").unwrap()),
    );
    let error = ledger.await.unwrap().led().await.unwrap_err();
    assert!(matches!(&error, CommandError::Halted { reason, .. } if reason.contains("clock")), "{error:?}");
}

/// One thing that goes wrong with one append.
fn fate() -> impl Strategy<Value = Fate> {
    let landing = prop_oneof![
        4 => Just(Landing::AtOnce),
        1 => Just(Landing::Held),
        1 => (0_usize..3).prop_map(Landing::Without),
        1 => (0_usize..3).prop_map(Landing::Late),
        1 => (0_usize..3).prop_map(Landing::Twice),
        1 => (0_usize..3).prop_map(Landing::Again),
    ];
    let answer = prop_oneof![
        4 => Just(Answer::Offsets),
        1 => Just(Answer::WithoutOffsets),
        1 => Just(Answer::Unknown),
        1 => Just(Answer::Held),
    ];
    // A producer keeps its batches in order, so one that lands behind a later one was given up before.
    (landing, answer).prop_map(|(landing, answer)| match landing {
        Landing::Held => Fate { landing, answer: Answer::Unknown },
        landing => Fate { landing, answer },
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever the log does: every key is decided at most once, whoever heard an answer heard the truth, a retry hears
    /// the same, and after the storm every command can be brought to its end.
    #[test]
    fn whatever_the_log_does_each_key_is_decided_once(fates in prop::collection::vec(fate(), 1..12), releases in prop::collection::vec(0_usize..3, 0..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let shop = Shop::open_with(|options| Options { answer_within: std::time::Duration::from_secs(3), ..options }).await;
            shop.receive(1, "before").await;
            for fate in &fates {
                shop.faults.plan(0, *fate);
            }
            let mut heard = Vec::new();
            for round in 0..fates.len() {
                let keys: Vec<String> = (0..3).map(|number| format!("{round}-{number}")).collect();
                let sent: Vec<_> = keys.iter().map(|key| {
                    let key = stockledger_schemas::IdempotencyKey::new(key).unwrap();
                    shop.ledger.try_enqueue(support::at_site(receive(1)), Some(key))
                }).collect();
                if let Some(index) = releases.get(round) {
                    tokio::task::yield_now().await;
                    shop.faults.release(0, *index);
                }
                for (key, sent) in keys.into_iter().zip(sent) {
                    let outcome = match sent {
                        Ok(pending) => pending.wait().await,
                        Err(error) => Err(error),
                    };
                    heard.push((key, outcome));
                }
            }
            // The storm is over: what was held back arrives or is lost, and everything is asked again.
            while shop.faults.release(0, 0) {}
            for (key, outcome) in heard {
                let mut tries = 0;
                let last = loop {
                    shop.ledger.led().await.unwrap();
                    match shop.ask(receive(1), &key).await {
                        Ok(reply) => break reply,
                        Err(error) => assert!(tries < 50, "{key} comes to no end: {error}"),
                    }
                    tries += 1;
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                };
                if let Ok(first) = outcome {
                    assert_eq!((first.position, first.decision), (last.position, last.decision));
                }
                assert_eq!(shop.times_decided(&key).await, 1);
            }
        });
    }
}
