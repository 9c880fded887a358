//! What the command line says, held word for word: `transcripts/*.md` are sessions that people can read. What they print
//! differently each time stands there as `[..]`. `TRYCMD=overwrite cargo test --test program transcripts` writes them anew.

/// The directory of the ledger of a session.
const DATA_DIR: &str = "STOCKLEDGER_DATA_DIR";

#[test]
fn sessions_go_as_they_are_written_down() {
    for session in ["a-day", "mistakes"] {
        let directory = tempfile::tempdir().unwrap();
        let cases = trycmd::TestCases::new();
        cases.env(DATA_DIR, directory.path().to_str().unwrap());
        cases.case(format!("tests/program/transcripts/{session}.md"));
        cases.run();
    }
}
