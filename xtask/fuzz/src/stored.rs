//! Bytes of the log and of snapshots.

use stockledger_chain::{State, admit};
use stockledger_domain::apply;
use stockledger_projections::{View, fold};
use stockledger_schemas::limits::WINDOW_DEFAULT;
use stockledger_schemas::snapshot::Snapshot;
use stockledger_schemas::{
    Decision, Event, Genesis, Hash, LedgerId, PartitionId, Record, Scope, codec, envelope, headers,
};

use crate::world::{self, World};

const CHECKSUM: std::ops::Range<usize> = 4..8;
const ENVELOPE_BYTES: usize = 8;
const SNAPSHOT_HASH: std::ops::Range<usize> = 12..44;

/// A record is read in one way or not at all, and whatever it says is judged without a panic.
pub(crate) fn envelope(bytes: &[u8]) {
    record(bytes);
    if bytes.len() >= ENVELOPE_BYTES {
        let mut mended = bytes.to_vec();
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&mended[..CHECKSUM.start]);
        checksum.update(&mended[ENVELOPE_BYTES..]);
        mended[CHECKSUM].copy_from_slice(&checksum.finalize().to_le_bytes());
        record(&mended);
    }
}

fn record(bytes: &[u8]) {
    judged(bytes);
    let Ok(record) = envelope::decode(bytes) else { return };
    assert_eq!(envelope::encode(&record).as_deref(), Ok(bytes), "a record has one encoding");
    shown(&record);
    if let Record::Decision(decision) = &record {
        carried_out(decision);
    }
}

/// Every reader judges a record before it looks into it, at any place of a log.
fn judged(bytes: &[u8]) {
    let begun = begun();
    // Whatever the verdict is, there is one.
    let _ = State::begin(bytes, PartitionId(0));
    let _ = admit(&begun, begun.next_offset, bytes);
    // No log and no table counts further.
    let last = i64::MAX.unsigned_abs();
    let late = State { term: last, seq: last, next_offset: last, reach: last, ..begun };
    let _ = admit(&late, late.next_offset, bytes);
}

fn begun() -> State {
    let genesis = Genesis {
        ledger_id: LedgerId([7; 16]),
        partition: PartitionId(0),
        partitions: 3,
        window: WINDOW_DEFAULT,
    };
    let bytes = envelope::encode(&Record::Genesis(genesis)).expect("a genesis can be written");
    State::begin(&bytes, PartitionId(0)).expect("a genesis begins a log")
}

fn shown(record: &Record) {
    assert!(serde_json::to_string(record).is_ok(), "every record can be shown");
    let headers = headers::of_record(PartitionId(0), record);
    assert!(headers.iter().all(|(_, value)| !value.is_empty()), "every record says what it is");
}

/// A decision that another program made is carried out or found impossible, by the domain and by the fold.
fn carried_out(decision: &Decision) {
    let mut state = world::stocked().state().clone();
    state.seq = decision.seq.saturating_sub(1);
    if apply(&mut state, decision.seq, decision).is_ok() {
        world::holds(&state);
    }
    let _ = fold(&mut View::of_nothing(PartitionId(0)), decision);
}

/// The body of an event of any tag and version is read in one way or not at all, in whichever scope it stands.
pub(crate) fn event(bytes: &[u8]) {
    let Ok(event) = codec::decode::<Event>(bytes) else { return };
    let mut again = Vec::new();
    assert_eq!(codec::encode_into(&event, &mut again), Ok(()), "what was read can be written");
    assert_eq!(again, bytes, "an event has one encoding");
    let world = world::stocked();
    for scope in [Scope::Directory, World::site()] {
        let decision = world.decision(scope, None, world::by_somebody(), event.clone());
        if let Ok(bytes) = envelope::encode_decision(&decision) {
            assert_eq!(envelope::decode(&bytes), Ok(Record::Decision(decision.clone())));
        }
        carried_out(&decision);
        let mut view = world.view();
        let _ = fold(&mut view, &decision);
    }
}

/// A snapshot is read, or told to be none; what was read comes back when it is written.
pub(crate) fn snapshot(bytes: &[u8]) {
    snapshot_file(bytes);
    if bytes.len() >= SNAPSHOT_HASH.end {
        let mut mended = bytes.to_vec();
        let hash = Hash::of(&[&mended[SNAPSHOT_HASH.end..]]);
        mended[SNAPSHOT_HASH].copy_from_slice(&hash.0);
        snapshot_file(&mended);
    }
}

fn snapshot_file(bytes: &[u8]) {
    let Ok(snapshot) = Snapshot::from_bytes(bytes) else { return };
    let again = snapshot.to_bytes();
    assert!(again.is_ok(), "what was read can be written");
    assert_eq!(again.and_then(|again| Snapshot::from_bytes(&again)), Ok(snapshot));
}
