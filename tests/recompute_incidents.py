#!/usr/bin/env python3
"""Figures of every process of the incident log, worked out a second time, to check the service against.

Usage: recompute_incidents.py LOG.csv > figures.json

Reads the unpacked CSV with the standard library only and shares no code with the service. Prints JSON:
`executions` (how many incidents) and `processes`: by key of the process its counts, its shares as [numerator, denominator]
and, in whole seconds, the nearest-rank percentiles of the time from start to finish (`null` where no run has both).
"""

import csv
import json
import re
import sys
from collections import defaultdict
from datetime import datetime, timezone

MISSING = "?"
ADHERENCE = {"true": "followed", "false": "not_followed", MISSING: "unknown"}
# An incident that took longer, or did not end and was opened longer ago than this, counts as abandoned: thirty days.
HORIZON = 30 * 24 * 60 * 60


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


def ended(row):
    """Whether the log knows of an end."""
    return (row["resolved_at"], row["closed_at"]) != (MISSING, MISSING)


def again(row):
    """How often work was done again: the incident was opened again, or handed to others."""
    return int(row["reopen_count"]) + int(row["reassignment_count"])


def abandoned(row, now):
    """Whether the incident went past the horizon."""
    start = instant(row["opened_at"])
    if ended(row):
        took = seconds(row)
        return took is not None and took > HORIZON
    return start is not None and now - start > HORIZON


def figures(rows, now):
    """What is printed of one process."""
    taken = sorted(t for t in map(seconds, rows) if t is not None)
    adherence = [ADHERENCE[row["knowledge"]] for row in rows]
    finished = [row for row in rows if ended(row)]
    # Every incident of the log that ends does so without a word of failure, so what went right is told by the rest.
    right = [row for row in finished if again(row) == 0 and row["made_sla"] != "false"]
    breaches = sum(row["made_sla"] == "false" for row in rows)
    return {
        "n": len(rows),
        "followed": adherence.count("followed"),
        "not_followed": adherence.count("not_followed"),
        "unknown": adherence.count("unknown"),
        "finished": len(finished),
        "without_start": sum(row["opened_at"] == MISSING for row in rows),
        # A missed service level is of substance; the log tells of nothing else.
        "violations": {"minor": 0, "major": breaches, "critical": 0},
        "rework": [sum(again(row) > 0 for row in rows), len(rows)],
        "error_rate": [0, len(finished)],
        "first_time_right": [len(right), len(finished)],
        "abandonment": [sum(abandoned(row, now) for row in rows), len(rows)],
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
    now = datetime.now(timezone.utc).timestamp()
    result = {key: figures(of, now) for key, of in sorted(processes.items())}
    json.dump({"executions": len(rows), "processes": result}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
