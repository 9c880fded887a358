#!/usr/bin/env python3
"""Reads golden records by FORMAT.md alone and prints what they say.

    verify_golden.py [FILE.bin ...]      without files: every golden/*.bin beside this script, by name

Prints the JSON twin of each record. Ends with status 1 at the first byte that FORMAT.md does not explain.
Python 3 standard library only; shares nothing with the Rust code.
"""

import datetime
import json
import pathlib
import sys
import uuid
import zlib


class Reader:
    """Takes values off the front of a record body."""

    def __init__(self, body):
        self.body, self.at = body, 0

    def take(self, count):
        if self.at + count > len(self.body):
            raise ValueError(f"body ends inside a value at byte {self.at}")
        self.at += count
        return self.body[self.at - count : self.at]

    def u8(self):
        return self.take(1)[0]

    def uint(self):
        first = self.u8()
        if first <= 250:
            return first
        if first == 254 or first == 255:
            raise ValueError(f"{first} does not begin a number")
        width = {251: 2, 252: 4, 253: 8}[first]
        value = int.from_bytes(self.take(width), "little")
        if value <= {2: 250, 4: 0xFFFF, 8: 0xFFFFFFFF}[width]:
            raise ValueError(f"{value} is stored wider than needed")
        return value

    def int(self):
        value = self.uint()
        return value >> 1 if value % 2 == 0 else -(value >> 1) - 1

    def text(self):
        return self.take(self.uint()).decode("utf-8")

    def time(self):
        start = datetime.datetime(1970, 1, 1)
        moment = start + datetime.timedelta(microseconds=self.int())
        return moment.isoformat(timespec="microseconds") + "Z"

    def hash(self):
        return self.take(32).hex()

    def uuid(self):
        return str(uuid.UUID(bytes=self.take(16)))

    def scope(self):
        return {0: lambda: "directory", 1: lambda: {"site": self.text()}}[self.u8()]()

    def read(self, kind):
        """A value of the type that is written `kind` in the tables below."""
        if kind.endswith("?"):
            return {0: lambda: None, 1: lambda: self.read(kind[:-1])}[self.u8()]()
        if kind.endswith("[]"):
            return [self.read(kind[:-2]) for _ in range(self.uint())]
        if kind in CODES:
            return CODES[kind][self.u8()]
        if kind in TAGGED:
            tag, version = self.uint(), self.u8()
            name, fields = TAGGED[kind][tag, version]
            return {"type": name, **self.struct(fields)}
        if kind in STRUCTS:
            return self.struct(STRUCTS[kind])
        return getattr(self, kind)()

    def struct(self, fields):
        pairs = (field.split(":") for field in fields.split())
        return {name: self.read(kind) for name, kind in pairs}


RECORDS = {
    1: ("genesis", "ledger_id:uuid partition:uint partitions:uint window:uint"),
    2: ("claim", "ledger_id:uuid partition:uint term:uint node:text url:text? nonce:uuid recorded_at:time"),
    3: ("decision", "term:uint seq:uint prev_hash:hash recorded_at:time scope:scope request:request?"
        " context:context events:event[]"),
}

STRUCTS = {
    "request": "key:text fingerprint:hash",
    "context": "actor:text occurred_at:time? reason:reason? note:text? reference:reference? correlation_id:text?",
    "reference": "type:text id:text",
    "balances": "on_hand:uint reserved:uint held:uint",
    "received_line": "sku:text quantity:uint after:balances",
    "adjusted_line": "sku:text delta:int after:balances",
    "counted_line": "sku:text counted:uint counted_at_seq:uint? delta:int after:balances",
    "placed_line": "sku:text quantity:uint unit_price_minor:uint? after:balances",
    "refused_line": "sku:text requested:uint available:uint unit_price_minor:uint?",
    "order": "order_id:text customer:text? currency:text? placed_at:time occurred_at:time lines:order_line[]",
    "order_line": "sku:text ordered:uint shipped:uint cancelled:uint returned:uint unit_price_minor:uint?",
    "line_move": "line:uint quantity:uint after:balances",
    "return_move": "line:uint quantity:uint disposition:disposition hold_id:text? after:balances",
    "shortage": "sku:text requested:uint available:uint",
}

TAGGED = {
    "event": {
        (1, 1): ("site_registered", "site:text name:text partition:uint"),
        (2, 1): ("site_renamed", "site:text name:text partition:uint"),
        (3, 1): ("site_opened", ""),
        (4, 1): ("item_registered", "sku:text name:text unit:text"),
        (5, 1): ("item_updated", "sku:text name:text unit:text"),
        (6, 1): ("note_recorded", ""),
        (7, 1): ("key_created", "key_id:text name:text secret_hash:hash scopes:key_scope[] sites:text[]?"
                 " expires_at:time?"),
        (8, 1): ("key_revoked", "key_id:text"),
        (10, 1): ("stock_received", "lines:received_line[]"),
        (11, 1): ("stock_adjusted", "lines:adjusted_line[]"),
        (12, 1): ("stock_counted", "lines:counted_line[]"),
        (13, 1): ("stock_held", "hold_id:text sku:text quantity:uint reason:reason after:balances"),
        (14, 1): ("hold_released", "hold_id:text sku:text quantity:uint reason:reason held_at_first:uint"
                  " remaining:uint after:balances"),
        (20, 1): ("order_placed", "order_id:text customer:text? currency:text? lines:placed_line[]"),
        (21, 1): ("out_of_stock", "order_id:text customer:text? currency:text? lines:refused_line[]"),
        (22, 1): ("order_shipped", "order:order moves:line_move[]"),
        (23, 1): ("order_cancelled", "order:order moves:line_move[]"),
        (24, 1): ("order_returned", "order:order moves:return_move[]"),
        (30, 1): ("command_refused", "command:command order_id:text? hold_id:text? refusal:refusal"),
    },
    "refusal": {
        (1, 1): ("insufficient_stock", "shortages:shortage[]"),
        (2, 1): ("order_exists", ""),
        (3, 1): ("unknown_order", ""),
        (4, 1): ("order_finished", "status:order_status"),
        (5, 1): ("not_in_order", "sku:text"),
        (6, 1): ("exceeds_open", "sku:text requested:uint open:uint"),
        (7, 1): ("exceeds_returnable", "sku:text requested:uint returnable:uint"),
        (8, 1): ("expected_quantity_stale", "sku:text expected:uint on_hand:uint"),
        (9, 1): ("count_superseded", "sku:text counted_seq:uint"),
        (10, 1): ("hold_exists", ""),
        (11, 1): ("unknown_hold", ""),
        (12, 1): ("exceeds_hold", "requested:uint? remaining:uint"),
        (13, 1): ("quantity_limit", "sku:text"),
        (14, 1): ("key_exists", ""),
        (15, 1): ("unknown_key", ""),
        (16, 1): ("first_key_not_admin", ""),
    },
}


def numbered(words, **others):
    return {**dict(enumerate(words.split(), 1)), **{int(code[1:]): word for code, word in others.items()}}


CODES = {
    "reason": numbered("opening_balance purchase production customer_return damaged shrinkage found correction"
                       " quality_control promotion safety_stock cycle_count customer_request unpaid wrong_item",
                       _255="other"),
    "disposition": numbered("restock damaged"),
    "order_status": numbered("placed partially_shipped shipped cancelled refused"),
    "command": numbered("open_site register_item receive_stock adjust_stock count_stock hold_stock release_hold"
                        " place_order ship_order cancel_order return_order record_note create_key revoke_key"),
    "key_scope": numbered("stock:read stock:write order:place order:manage audit:read admin"),
}


def decode(record):
    magic, form, kind, crc = record[:2], record[2], record[3], int.from_bytes(record[4:8], "little")
    if magic != b"SL" or form != 1:
        raise ValueError("not a stockledger record of format 1")
    if zlib.crc32(record[:4] + record[8:]) != crc:
        raise ValueError("the checksum does not fit the bytes")
    name, fields = RECORDS[kind]
    reader = Reader(record[8:])
    value = {"kind": name, **reader.struct(fields)}
    if reader.at != len(reader.body):
        raise ValueError(f"{len(reader.body) - reader.at} bytes left over")
    return value


def main(arguments):
    golden = pathlib.Path(__file__).parent / "golden"
    for path in map(pathlib.Path, arguments or sorted(golden.glob("*.bin"), key=lambda path: path.stem)):
        try:
            record = decode(path.read_bytes())
        except (ValueError, KeyError, IndexError) as error:
            sys.exit(f"{path.name}: {type(error).__name__}: {error}")
        sys.stdout.buffer.write((json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))


if __name__ == "__main__":
    main(sys.argv[1:])
