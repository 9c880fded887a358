//! How fast the log on Kafka is on this machine: `cargo run --release -p stockledger-log --example kafka_speed ADDRESS`
//! with the address of a topic that does not exist yet, such as `kafka://127.0.0.1:9092/speed`. The topic stays.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stockledger_log::kafka::{Address, KafkaLog, Profile};
use stockledger_log::{Acknowledgement, Delivery, Entry, Log};
use tokio::task::JoinSet;
use tokio::time::Instant;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const PARTITIONS: u16 = 8;
/// About what an order of three lines takes.
const RECORD_BYTES: usize = 400;
const BATCH_RECORDS: usize = 256;
const BATCHES_IN_FLIGHT: usize = 4;
const BATCHES: usize = 1_000;
const SINGLES: usize = 2_000;

#[tokio::main]
async fn main() -> Outcome<()> {
    let address: Address = std::env::args().nth(1).ok_or("name a topic: kafka://HOST:PORT/TOPIC")?.parse()?;
    let log = Arc::new(KafkaLog::create(&address, PARTITIONS, Profile::Dev).await?);
    singles(&*log).await?;
    batches(&log).await?;
    reading(&log).await?;
    lookups(&log).await?;
    log.close().await;
    Ok(())
}

/// One record at a time: until it is acknowledged, and until a reader has it.
async fn singles(log: &dyn Log) -> Outcome<()> {
    let mut producer = log.producer(0)?;
    let mut reader = log.reader(0, 0).await?;
    let (mut acknowledged, mut read) = (Vec::new(), Vec::new());
    for _ in 0..SINGLES {
        let start = Instant::now();
        check(producer.append(vec![entry()])).await?;
        acknowledged.push(start.elapsed());
        let records = reader.next(1, Duration::from_secs(5)).await?;
        read.push(start.elapsed());
        if records.len() != 1 {
            return Err("an acknowledged record did not come back".into());
        }
    }
    tell("append of one record until acknowledged", &mut acknowledged);
    tell("append of one record until read", &mut read);
    Ok(())
}

/// Full batches, several in flight, on one partition and on all.
async fn batches(log: &Arc<KafkaLog>) -> Outcome<()> {
    for partitions in [1, PARTITIONS] {
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for partition in 0..partitions {
            let mut producer = log.producer(partition)?;
            tasks.spawn(async move {
                let mut in_flight = VecDeque::new();
                for _ in 0..BATCHES / usize::from(partitions) {
                    if in_flight.len() == BATCHES_IN_FLIGHT
                        && let Some(oldest) = in_flight.pop_front()
                    {
                        check(oldest).await?;
                    }
                    in_flight.push_back(
                        producer.append(std::iter::repeat_with(entry).take(BATCH_RECORDS).collect()),
                    );
                }
                for rest in in_flight {
                    check(rest).await?;
                }
                Outcome::Ok(())
            });
        }
        for task in tasks.join_all().await {
            task?;
        }
        let records = BATCHES / usize::from(partitions) * usize::from(partitions) * BATCH_RECORDS;
        rate(&format!("append in batches, {partitions} partitions"), records, start.elapsed());
    }
    Ok(())
}

/// Everything from the beginning, one partition alone and all at once; the memory before is what appending took.
async fn reading(log: &Arc<KafkaLog>) -> Outcome<()> {
    memory();
    for partitions in [1, PARTITIONS] {
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for partition in 0..partitions {
            let log = Arc::clone(log);
            tasks.spawn(async move {
                let end = log.bounds(partition).await?.end;
                let mut reader = log.reader(partition, 0).await?;
                let mut next = 0;
                while next < end {
                    let records = reader.next(512, Duration::from_secs(5)).await?;
                    next = records.last().ok_or("the records do not come")?.offset + 1;
                }
                Outcome::Ok(usize::try_from(end)?)
            });
        }
        let mut records = 0;
        for task in tasks.join_all().await {
            records += task?;
        }
        rate(&format!("read, {partitions} partitions"), records, start.elapsed());
    }
    memory();
    Ok(())
}

/// Single old records, one after the other and by eight at once; the end; a new reader until its first record.
async fn lookups(log: &Arc<KafkaLog>) -> Outcome<()> {
    let end = log.bounds(0).await?.end;
    let mut took = Vec::new();
    for step in 0..SINGLES as u64 {
        let start = Instant::now();
        log.fetch(0, step * 7_919 % end).await?.ok_or("the record is not there")?;
        took.push(start.elapsed());
    }
    tell("fetch, one after the other", &mut took);

    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let log = Arc::clone(log);
        tasks.spawn(async move {
            for step in 0..SINGLES as u64 / 8 {
                let offset = (task * 104_729 + step * 7_919) % end;
                log.fetch(0, offset).await?.ok_or("the record is not there")?;
            }
            Outcome::Ok(())
        });
    }
    for task in tasks.join_all().await {
        task?;
    }
    rate("fetch, eight at once", SINGLES, start.elapsed());

    took.clear();
    for _ in 0..200 {
        let start = Instant::now();
        log.bounds(0).await?;
        took.push(start.elapsed());
    }
    tell("bounds", &mut took);
    took.clear();
    for _ in 0..20 {
        let start = Instant::now();
        log.reader(0, end - 1).await?.next(1, Duration::from_secs(5)).await?;
        took.push(start.elapsed());
    }
    tell("a new reader until its first record", &mut took);
    Ok(())
}

/// A record of which every third byte is by chance, so that it shrinks about as much as records of a ledger do.
fn entry() -> Entry {
    static SEED: AtomicU64 = AtomicU64::new(1);
    let mut chance = SEED.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
    let value: Vec<u8> = (0..RECORD_BYTES)
        .map(|place| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            if place % 3 == 0 { chance.to_le_bytes()[0] } else { 0 }
        })
        .collect();
    let headers = vec![("ce_type", "order_placed".to_owned()), ("ce_id", "0.1.1".to_owned())];
    Entry { headers, ..Entry::new("berlin", value) }
}

async fn check(acknowledgement: Acknowledgement) -> Outcome<()> {
    for delivery in acknowledgement.await? {
        if let Delivery::Unknown(error) = delivery {
            return Err(error.into());
        }
    }
    Ok(())
}

fn tell(what: &str, took: &mut [Duration]) {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    say(&format!("{what}: p50 {:?}, p99 {:?}, longest {:?}", at(50), at(99), at(100)));
}

fn rate(what: &str, count: usize, took: Duration) {
    let per_second = count as f64 / took.as_secs_f64();
    say(&format!("{what}: {count} in {took:?}, {per_second:.0} per second"));
}

/// The most memory that this process ever had, where the system tells it.
fn memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(line) = status.lines().find(|line| line.starts_with("VmHWM")) {
        say(line);
    }
}

#[expect(clippy::print_stdout, reason = "this program is run to see what it prints")]
fn say(line: &str) {
    println!("{line}");
}
