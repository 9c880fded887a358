#!/usr/bin/env python3
"""Recomputes the chain of an archive that `stockledger export --to DIRECTORY` made: verify.py DIRECTORY

Checks for each partition: the SHA-256 of every segment, the checksum of every record, genesis, which records count
(terms, dense sequence), the hash chain, and the heads that the manifest remembers. Ends with status 3 at the first
thing that is wrong. The format is that of docs/archive.md, schemas/FORMAT.md and docs/protocol.md. It does not look
into the events: `stockledger verify --archive DIRECTORY` also carries every decision out.
"""

import hashlib
import json
import pathlib
import struct
import sys
import zlib

GENESIS, CLAIM, DECISION, TERM_JUMP_MAX, RECORD_BYTES_MAX = 1, 2, 3, 1 << 20, 1 << 20


class Wrong(Exception): pass


def need(is_right, what):
    if not is_right:
        raise Wrong(what)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


class Body:
    """Takes values off the front of a record's body."""

    def __init__(self, record):
        self.bytes, self.at = record, 8

    def take(self, count):
        need(self.at + count <= len(self.bytes), "the record ends inside a value")
        self.at += count
        return self.bytes[self.at - count : self.at]

    def uint(self):
        first = self.take(1)[0]
        if first <= 250:
            return first
        need(first <= 253, f"{first} does not begin a number")
        value = int.from_bytes(self.take(1 << first - 250), "little")
        need(value > (250, 0xFFFF, 0xFFFFFFFF)[first - 251], f"{value} is stored wider than needed")
        return value


class Partition:
    """What a reader knows of a partition, record by record."""

    def __init__(self, ledger_id, number, partitions):
        self.ledger_id, self.number, self.partitions = ledger_id, number, partitions
        self.term = self.seq = self.offset = self.reach = self.void = self.window = 0
        self.hash = self.genesis = None

    def take(self, record):
        need(8 <= len(record) <= RECORD_BYTES_MAX, f"a record of {len(record)} bytes")
        need(record[:2] == b"SL" and record[2] == 1, "not a record of format 1")
        kind, found, checksum = record[3], int.from_bytes(record[4:8], "little"), zlib.crc32(record[:4] + record[8:])
        need(checksum == found, f"the checksum is {found:08x}, the bytes give {checksum:08x}")
        need(kind in (GENESIS, CLAIM, DECISION), f"a record of kind {kind}")
        body = Body(record)
        if self.offset == 0:
            self.begin(kind, record, body)
        elif kind == GENESIS:
            need(self.term == 0 or sha256(b"stockledger-genesis", record) == self.genesis, "a second genesis record")
            self.void += 1
        elif kind == CLAIM:
            self.claim(record, body)
        else:
            self.decide(record, body)
        self.offset += 1

    def begin(self, kind, record, body):
        need(kind == GENESIS and body.take(16) == self.ledger_id, "not a genesis record of this ledger")
        need((body.uint(), body.uint()) == (self.number, self.partitions), "another partition, or another number of them")
        self.window = body.uint()
        self.hash = self.genesis = sha256(b"stockledger-genesis", record)

    def claim(self, record, body):
        need((body.take(16), body.uint()) == (self.ledger_id, self.number), "a claim of another ledger or partition")
        term = body.uint()
        need(term - self.term <= TERM_JUMP_MAX, f"term {term} is too far above {self.term}")
        if term <= self.term:
            self.void += 1
        else:
            self.term, self.reach, self.hash = term, 0, sha256(b"\1", self.hash, record)

    def decide(self, record, body):
        term, seq, before, following = body.uint(), body.uint(), body.take(32), self.seq + 1
        need(self.term > 0 and term <= self.term, f"term {term} was never claimed")
        if term < self.term:
            need(seq < following + self.window, f"seq {seq} of the superseded term {term}, but {following} comes next")
            self.void += 1
        elif seq != following:
            need(seq - following <= self.reach, f"seq {seq}, but {following} comes next")
            self.void += 1
        else:
            need(before == self.hash, f"the chain is broken: decision {seq} continues {before.hex()}, not {self.hash.hex()}")
            self.seq, self.reach, self.hash = seq, self.window - 1, sha256(b"\0", record)

    def segment(self, directory, listed):
        path = directory / f"partition-{self.number:04}" / f"segment-{self.offset:020}.slseg"
        need(str(path.relative_to(directory)) == listed["file"], f"{listed['file']} where {path.name} comes next")
        need(path.is_file(), f"{listed['file']} is missing")
        data = path.read_bytes()
        digest = sha256(data).hex()
        need(digest == listed["sha256"], f"SHA-256 of {listed['file']} is {digest}, the manifest says {listed['sha256']}")
        header = struct.pack("<8sIHHQ", b"SLSEG", 1, self.number, 0, self.offset)
        need(data[:40] == header + self.ledger_id, f"the header of {listed['file']}")
        at, first = 40, self.offset
        while at < len(data):
            end = at + 4 + int.from_bytes(data[at : at + 4], "little")
            need(end <= len(data), f"{listed['file']} ends inside a record")
            self.take(data[at + 4 : end])
            at = end
        listed = tuple(listed[name] for name in ("first_offset", "records", "last_seq", "hash"))
        found = (first, self.offset - first, self.seq, self.hash.hex())
        need(found == listed, f"{path.name}: the manifest remembers {listed}, found is {found}")


def main(directory):
    manifest = json.loads((directory / "manifest.json").read_text("utf-8"))
    need(manifest["format"] == 1, f"a manifest of format {manifest['format']}")
    ledger_id = bytes.fromhex(manifest["ledger_id"].replace("-", ""))
    for content in manifest["contents"]:
        partition = Partition(ledger_id, content["partition"], manifest["partitions"])
        try:
            for listed in content["segments"]:
                partition.segment(directory, listed)
            head = tuple(content["head"][name] for name in ("seq", "hash", "next_offset", "term"))
            found = (partition.seq, partition.hash.hex(), partition.offset, partition.term)
            need(found == head, f"the manifest's head is {head}, found is {found}")
        except Wrong as wrong:
            raise Wrong(f"partition {partition.number}, offset {partition.offset}, after seq {partition.seq}: {wrong}") from wrong
        print(f"partition {partition.number}: {partition.offset} records, {partition.seq} decisions, {partition.void} void,"
              f" {partition.term} terms, head {partition.hash.hex()}")


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]))
    except (Wrong, OSError, ValueError, KeyError) as error:
        print(f"verify.py: {error}", file=sys.stderr)
        sys.exit(3)
