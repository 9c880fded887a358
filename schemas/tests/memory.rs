//! What hostile bytes can make the decoder allocate. Alone in its own process, because it measures the whole process.

#[cfg(target_os = "linux")]
#[test]
fn a_claimed_length_allocates_no_more_than_the_limit() {
    use stockledger_schemas::{Event, codec};

    const BOUND_BYTES: u64 = 64 << 20;
    let before = address_space_peak_bytes();
    for exponent in 8..64 {
        let claimed = 1_u64 << exponent;
        for tag in [10, 11, 12] {
            let bomb = [&[tag, 1, 253][..], &claimed.to_le_bytes()].concat();
            codec::decode::<Event>(&bomb).expect_err("no lines follow");
        }
        let name_bomb = [&[1, 1, 2, b'u', b'k', 253][..], &claimed.to_le_bytes()].concat();
        codec::decode::<Event>(&name_bomb).expect_err("no name follows");
    }
    let grown = address_space_peak_bytes() - before;
    assert!(grown < BOUND_BYTES, "the process grew by {grown} bytes");
}

/// The largest address space that this process ever had. A vector counts from its reservation on, touched or not.
#[cfg(target_os = "linux")]
fn address_space_peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).expect("Linux says it");
    let kilobytes = line.trim().trim_end_matches("kB").trim();
    kilobytes.parse::<u64>().expect("a number") * 1024
}
