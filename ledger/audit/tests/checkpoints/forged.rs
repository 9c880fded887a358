//! Documents that were tampered with, as somebody checks them who has the key and nothing else.

use stockledger_audit::proof::Error;
use stockledger_audit::{ConsistencyProof, InclusionProof, SignedCheckpoint, SigningKey, VerifierKey};
use stockledger_schemas::{LedgerId, Record, envelope};

use crate::ledger::{Ledger, Office, PARTITION, at, until_signed};

const FORGERIES: usize = 10_000;

/// A proof of each kind, the checkpoint of an earlier visit, and the key.
struct Documents {
    inclusion: InclusionProof,
    consistency: ConsistencyProof,
    since: SignedCheckpoint,
    keys: [VerifierKey; 1],
}

async fn documents() -> Documents {
    let (mut ledger, office) = (Ledger::with("one", 70).await, Office::new());
    let notary = office.open(&ledger);
    let proofs = notary.proofs();
    until_signed(&proofs, 70).await;
    let keys = office.verifier();
    let since = SignedCheckpoint::open(proofs.checkpoint(PARTITION).await.unwrap().note(), &keys).unwrap();
    ledger.decide(55).await;
    until_signed(&proofs, 125).await;
    let inclusion = proofs.inclusion(at(43)).await.unwrap();
    let consistency = proofs.consistency(at(70), None).await.unwrap();
    notary.stop().await;
    Documents { inclusion, consistency, since, keys }
}

/// Numbers that look random and are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }
}

/// The text with one thing changed: a byte, a run that is cut out, repeated or moved, or one base64 letter.
fn forge(text: &str, dice: &mut Dice) -> Option<String> {
    const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    let mut bytes = text.as_bytes().to_vec();
    let at = dice.below(bytes.len());
    let run = at..(at + 1 + dice.below(60)).min(bytes.len());
    match dice.below(6) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes[at] = BASE64[dice.below(BASE64.len())],
        2 => drop(bytes.drain(run)),
        3 => {
            let repeated = bytes[run].to_vec();
            let to = dice.below(bytes.len());
            drop(bytes.splice(to..to, repeated));
        }
        4 => {
            let digits: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit()).collect();
            bytes[digits[dice.below(digits.len())]] = b'0' + u8::try_from(dice.below(10)).unwrap();
        }
        _ => {
            let to = dice.below(bytes.len());
            bytes.swap(at, to);
        }
    }
    String::from_utf8(bytes).ok().filter(|forged| forged != text)
}

/// Forges a document over and over. What is believed nevertheless must say exactly the same.
fn forge_often<T>(genuine: &T, seed: u64, is_believed: impl Fn(&T) -> bool)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = serde_json::to_string(genuine).unwrap();
    assert!(is_believed(&serde_json::from_str(&text).unwrap()));
    let (mut dice, mut forged, mut readable) = (Dice(seed), 0, 0);
    while forged < FORGERIES {
        let Some(forgery) = forge(&text, &mut dice) else { continue };
        forged += 1;
        let Ok(document) = serde_json::from_str::<T>(&forgery) else { continue };
        readable += 1;
        assert!(!is_believed(&document) || document == *genuine, "{forgery}");
    }
    assert!(readable > FORGERIES / 20, "only {readable} forgeries could be read at all");
}

#[tokio::test]
async fn ten_thousand_forged_documents_of_either_kind_are_rejected() {
    let Documents { inclusion, consistency, since, keys } = documents().await;
    forge_often(&inclusion, 3, |document| document.check(&keys).is_ok());
    forge_often(&consistency, 4, |document| document.check(since.checkpoint(), &keys).is_ok());
}

#[tokio::test]
async fn ten_thousand_forged_notes_are_rejected() {
    let Documents { since, keys, .. } = documents().await;
    let mut dice = Dice(5);
    let mut forged = 0;
    while forged < FORGERIES {
        let Some(note) = forge(since.note(), &mut dice) else { continue };
        forged += 1;
        let believed = SignedCheckpoint::open(&note, &keys);
        // Who else signed is nobody's business; what was signed may not differ.
        assert!(believed.is_err() || believed.unwrap().checkpoint() == since.checkpoint(), "{note}");
    }
}

/// A proof in which everything fits but one thing.
#[tokio::test]
async fn every_part_of_a_proof_is_held_against_the_others() {
    let Documents { inclusion, consistency, since, keys } = documents().await;
    let Ok(Record::Decision(mut decision)) = envelope::decode(&inclusion.record) else {
        panic!("a decision")
    };
    decision.context.note = Some("nothing to see".parse().unwrap());
    let record = envelope::encode(&Record::Decision(decision)).unwrap();
    let chain_hash = stockledger_chain::decision_hash(&record);
    let whole = InclusionProof { record: record.clone(), chain_hash, ..inclusion.clone() };
    assert!(matches!(whole.check(&keys), Err(Error::NotIncluded(_))));

    let cases: Vec<(&str, InclusionProof)> = vec![
        ("record", InclusionProof { record, ..inclusion.clone() }),
        ("position", InclusionProof { position: at(44), ..inclusion.clone() }),
        ("leaf index", InclusionProof { leaf_index: 43, ..inclusion.clone() }),
        ("tree size", InclusionProof { tree_size: 124, ..inclusion.clone() }),
        ("chain hash", InclusionProof { chain_hash, ..inclusion.clone() }),
        ("checkpoint", InclusionProof { checkpoint: since.note().to_owned(), ..inclusion.clone() }),
        ("path", InclusionProof { inclusion: vec![], ..inclusion }),
    ];
    for (what, proof) in cases {
        assert!(proof.check(&keys).is_err(), "{what}");
    }
    let unsigned = ConsistencyProof { checkpoint: None, ..consistency.clone() };
    assert_eq!(unsigned.check(since.checkpoint(), &keys), Err(Error::Unsigned));
    let earlier = ConsistencyProof { from: at(69), ..consistency };
    assert!(earlier.check(since.checkpoint(), &keys).is_err());
}

#[tokio::test]
async fn keys_of_others_do_not_count() {
    let Documents { inclusion, keys, .. } = documents().await;
    let stranger = SigningKey::generate(crate::ledger::LEDGER).unwrap().verifier();
    let other_ledger = SigningKey::generate(LedgerId([9; 16])).unwrap().verifier();
    assert!(inclusion.check(&[stranger.clone(), other_ledger.clone()]).is_err());
    assert!(inclusion.check(&[stranger, other_ledger, keys[0].clone()]).is_ok());
}
