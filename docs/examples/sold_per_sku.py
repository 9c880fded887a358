"""A projection of your own: how many units of each SKU were shipped, kept in SQLite.

    python3 sold_per_sku.py URL FILE [--follow]

It reads the feed of decisions from wherever it was to the end, and prints what sold best. Standard library only; an API key
is taken from STOCKLEDGER_API_KEY. What it must do right is in `fold` and `project`: fold each event as it is, and store
the place in the feed in the transaction of what was folded. Then nothing is ever counted twice or left out, however
often it is stopped.
"""

import json
import os
import sqlite3
import sys
import urllib.parse
import urllib.request

WAIT_S = 30


def open_tables(file):
    tables = sqlite3.connect(file, isolation_level=None)
    tables.execute("CREATE TABLE IF NOT EXISTS sold (sku TEXT PRIMARY KEY, units INTEGER NOT NULL)")
    tables.execute("CREATE TABLE IF NOT EXISTS place (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), cursor TEXT)")
    return tables


def fold(tables, event):
    """What one event changes. An event that is of no interest, also one of a later version, changes nothing."""
    if event["type"] != "order_shipped":
        return
    lines = event["order"]["lines"]
    for move in event["moves"]:
        sku = lines[move["line"]]["sku"]
        tables.execute(
            "INSERT INTO sold VALUES (?1, ?2) ON CONFLICT (sku) DO UPDATE SET units = units + ?2",
            (sku, move["quantity"]),
        )


def project(tables, page):
    """Takes a page in, whole or not at all, with the place behind it."""
    tables.execute("BEGIN IMMEDIATE")
    for recorded in page["data"]:
        for event in recorded["decision"]["events"]:
            fold(tables, event)
    tables.execute("INSERT OR REPLACE INTO place VALUES (1, ?)", (page["next_cursor"],))
    tables.execute("COMMIT")


def next_page(url, cursor, wait):
    parameters = {"limit": 500, "type": "order_shipped", "wait": wait}
    if cursor is not None:
        parameters["after"] = cursor
    request = urllib.request.Request(f"{url}/v1/events?{urllib.parse.urlencode(parameters)}")
    if key := os.environ.get("STOCKLEDGER_API_KEY"):
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=WAIT_S + 30) as answer:
        return json.load(answer)


def main(url, file, follow):
    tables = open_tables(file)
    while True:
        place = tables.execute("SELECT cursor FROM place").fetchone()
        page = next_page(url, place and place[0], WAIT_S if follow else 0)
        project(tables, page)
        if not page["has_more"]:
            for stopped in page.get("stopped", []):
                sys.exit(f"partition {stopped['partition']} goes no further: {stopped['reason']}")
            if not follow:
                break
    for sku, units in tables.execute("SELECT sku, units FROM sold ORDER BY units DESC, sku LIMIT 3"):
        print(f"{units:>8,}  {sku}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], "--follow" in sys.argv[3:])
