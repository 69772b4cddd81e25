#!/usr/bin/env python3
"""Verifies an export of the audit chain, without the service and without any of its code.

Usage: verify_export.py EXPORT.jsonl [--heads HEADS.jsonl]... [--public-key KEY.pem]...

Needs the standard library only. An export may begin anywhere, and may leave entries out, as that of a team's manager
does: each entry is verified by itself, and linked to the one before it where that is there. Prints JSON: how many
`entries`, the `first` and the `last`, whether the export is `whole` (from entry 1 without gaps), and how many `heads`
fit. Ends with 1 and a line that names the entry where something does not fit.

The recipe. Of each line (JSON, UTF-8) take the members `hash` and `previousHash` away; write what is left as RFC 8785
says; `hash` is the SHA-256 over the 32 bytes that `previousHash` spells in hex and that text. `previousHash` is the
`hash` of the entry with the number before, and 64 zeros for entry 1.

A head is signed by Ed25519 over five lines of ASCII, each with a line feed behind it: `sopwith audit head v1`, the
`keyId`, the `seq`, the `hash`, the `at`. The `keyId` is the SHA-256 in hex over the public key's DER.
"""

import argparse
import base64
import decimal
import hashlib
import json
import sys

# --- RFC 8785 ---------------------------------------------------------------------------------------------------------


def spelled(value):
    """The one spelling of a number that may not be whole: the shortest digits that read back, as ECMAScript places them."""
    if value == 0:
        return "0"
    sign, digits, exponent = decimal.Decimal(repr(value)).normalize().as_tuple()
    digits, minus = "".join(map(str, digits)), "-" if sign else ""
    point = len(digits) + exponent
    if len(digits) <= point <= 21:
        return minus + digits + "0" * exponent
    if 0 < point <= 21:
        return minus + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return minus + "0." + "0" * -point + digits
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{minus}{digits[0]}{fraction}e{point - 1:+d}"


def canonical(value):
    """The one spelling of a value."""
    if isinstance(value, dict):
        # By UTF-16 code units, of which big-endian bytes have the order.
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(canonical(name) + ":" + canonical(value) for name, value in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        return spelled(value)
    return json.dumps(value, ensure_ascii=False)


# --- Ed25519 (RFC 8032), for checking only ----------------------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover(y, sign):
    """The x of a point on the curve, or None."""
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x % 2 != sign else x


def decode(data):
    """A point in extended coordinates, or None."""
    number = int.from_bytes(data, "little")
    y = number & (2**255 - 1)
    x = recover(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


def add(a, b):
    one, two = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    three, four = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = two - one, four - three, four + three, two + one
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def signed_by(key, message, signature):
    """Whether the 32 bytes of `key` made the 64 of `signature` over `message`."""
    a, r, s = decode(key), decode(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= ORDER or len(signature) != 64:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    left, right = times(s, BASE), add(r, times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# --- the chain --------------------------------------------------------------------------------------------------------


def walk(path):
    """The numbers of the entries and their hashes."""
    hashes = {}
    last = 0
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            entry = json.loads(line)
            seq, own, before = entry["seq"], entry.pop("hash"), entry.pop("previousHash")
            if seq <= last:
                sys.exit(f"entry {seq} comes after entry {last}")
            if before is None or before != hashes.get(seq - 1, before) or (seq == 1 and before != "0" * 64):
                sys.exit(f"entry {seq} does not follow the one before it")
            if hashlib.sha256(bytes.fromhex(before) + canonical(entry).encode()).hexdigest() != own:
                sys.exit(f"entry {seq} was changed: its hash does not fit")
            hashes[seq] = own
            last = seq
    return hashes


def public_keys(paths):
    """Keys by their ids."""
    keys = {}
    for path in paths:
        with open(path, encoding="ascii") as file:
            der = base64.b64decode("".join(line for line in file if not line.startswith("-")))
        if len(der) != 44 or der[:12] != bytes.fromhex("302a300506032b6570032100"):
            sys.exit(f"{path}: this is not an Ed25519 public key")
        keys[hashlib.sha256(der).hexdigest()] = der[12:]
    return keys


def compare(hashes, path, keys):
    """How many heads of a file there are; each must be signed and fit."""
    count = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            head = json.loads(line)
            seq, key = head["seq"], keys.get(head["keyId"])
            if key is None:
                sys.exit(f"the head of entry {seq} is signed by an unknown key")
            words = ["sopwith audit head v1", head["keyId"], str(seq), head["hash"], head["at"]]
            if not signed_by(key, "".join(word + "\n" for word in words).encode(), bytes.fromhex(head["signature"])):
                sys.exit(f"the head of entry {seq} is forged")
            if hashes.get(seq) != head["hash"]:
                sys.exit(f"entry {seq} is not the one that was signed")
            count += 1
    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("export")
    parser.add_argument("--heads", action="append", default=[])
    parser.add_argument("--public-key", action="append", default=[])
    given = parser.parse_args()
    hashes = walk(given.export)
    keys = public_keys(given.public_key)
    heads = sum(compare(hashes, path, keys) for path in given.heads)
    first, last = min(hashes, default=0), max(hashes, default=0)
    whole = len(hashes) == last
    print(json.dumps({"entries": len(hashes), "first": first, "last": last, "whole": whole, "heads": heads}))


main()
