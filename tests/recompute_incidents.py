#!/usr/bin/env python3
"""Figures of every process of the incident log, worked out a second time, to check the service against.

Usage: recompute_incidents.py LOG.csv > figures.json

Reads the unpacked CSV with the standard library only and shares no code with the service. Prints JSON:
`executions` (how many incidents) and `processes`: by key of the process its counts and, in whole seconds, the
nearest-rank percentiles of the time from start to finish (`null` where no run has both).
"""

import csv
import json
import re
import sys
from collections import defaultdict
from datetime import datetime, timezone

MISSING = "?"
ADHERENCE = {"true": "followed", "false": "not_followed", MISSING: "unknown"}


def instant(text):
    """Seconds since the epoch of `d/m/yyyy HH:MM`, taken as UTC; None when missing."""
    if text == MISSING:
        return None
    return int(datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=timezone.utc).timestamp())


def word(text):
    """The text as part of a key: lower case, everything else than letters and digits one dash."""
    return "unknown" if text == MISSING else re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def last_rows(path):
    """The last row of every incident: highest sys_mod_count, then latest sys_updated_at, then furthest in the file."""
    last = {}
    with open(path, newline="", encoding="utf-8") as file:
        for place, row in enumerate(csv.DictReader(file)):
            updated = instant(row["sys_updated_at"])
            rank = (int(row["sys_mod_count"]), float("-inf") if updated is None else updated, place)
            if row["number"] not in last or rank > last[row["number"]][0]:
                last[row["number"]] = (rank, row)
    return [row for _, row in last.values()]


def seconds(row):
    """How long the incident took, or None; an incident that ends before it begins is an error in the log."""
    start = instant(row["opened_at"])
    finish = instant(row["closed_at"] if row["resolved_at"] == MISSING else row["resolved_at"])
    if start is None or finish is None:
        return None
    if finish < start:
        sys.exit(f"{row['number']}: it ends before it begins")
    return finish - start


def percentile(ordered, percent):
    """The value of rank ceil(percent / 100 * n), counted from 1; no floating point."""
    return ordered[(percent * len(ordered) + 99) // 100 - 1] if ordered else None


def figures(rows):
    """What is printed of one process."""
    taken = sorted(t for t in map(seconds, rows) if t is not None)
    adherence = [ADHERENCE[row["knowledge"]] for row in rows]
    finished = [row for row in rows if (row["resolved_at"], row["closed_at"]) != (MISSING, MISSING)]
    return {
        "n": len(rows),
        "followed": adherence.count("followed"),
        "not_followed": adherence.count("not_followed"),
        "unknown": adherence.count("unknown"),
        "finished": len(finished),
        "sla_violations": sum(row["made_sla"] == "false" for row in rows),
        "rework": sum(int(row["reopen_count"]) + int(row["reassignment_count"]) for row in rows),
        "p50_seconds": percentile(taken, 50),
        "p90_seconds": percentile(taken, 90),
        "p95_seconds": percentile(taken, 95),
    }


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rows, pairs, processes = last_rows(sys.argv[1]), {}, defaultdict(list)
    for row in rows:
        pair = (row["category"], row["subcategory"])
        key = "-".join(map(word, pair))
        if pairs.setdefault(key, pair) != pair:
            sys.exit(f"{pair} and {pairs[key]} have the same key {key}")
        processes[key].append(row)
    result = {key: figures(of) for key, of in sorted(processes.items())}
    json.dump({"executions": len(rows), "processes": result}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
