//! What is said of records beside their bytes.

use std::collections::BTreeSet;

use stockledger_schemas::headers::{Detail, of_decision, of_record};
use stockledger_schemas::{PartitionId, Record};

use crate::samples;

#[test]
fn headers_are_names_and_texts_that_cloud_events_and_kafka_tools_take() {
    let mut subjects = 0;
    for sample in samples::all() {
        let Record::Decision(decision) = &sample.record else { continue };
        let minimal = of_record(PartitionId(3), &sample.record);
        let full = of_decision(PartitionId(3), decision, Detail::Full);
        assert!(full.starts_with(&minimal) && minimal.len() == 3, "{}: {full:?}", sample.name);
        let names: BTreeSet<_> = full.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), full.len(), "{}: {full:?}", sample.name);
        for (name, value) in &full {
            let attribute = name.strip_prefix("ce_").unwrap_or("contenttype");
            assert!(attribute.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
            assert!(!value.is_empty() && !value.contains(['\n', '\0']), "{}: {name}={value}", sample.name);
        }
        subjects += usize::from(names.contains("ce_subject"));
    }
    assert!(subjects > 20, "{subjects} samples are about something");
}

#[test]
fn the_detail_of_headers_is_one_of_two_words() {
    for detail in [Detail::Minimal, Detail::Full] {
        assert_eq!(detail.to_string().parse::<Detail>().unwrap(), detail);
    }
    assert!("FULL".parse::<Detail>().is_err());
}
