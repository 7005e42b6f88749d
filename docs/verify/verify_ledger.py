#!/usr/bin/env python3
"""Checks a gates ledger without gates: one file, the standard library, and git.

    python verify_ledger.py REPOSITORY [--expect-head sha256:...]

Written from the description of the format (docs/ledger.md), so that nobody need trust the code that wrote the ledger.
It checks the chain, the bytes of every document, and that records say what their documents say. It derives no verdict
again from evidence: that takes the statistics of gates itself (`gates verify`). Exit codes: 0 nothing is wrong, 1
something is, 2 the ledger can't be read.
"""

import argparse
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys

BRANCH = "refs/heads/gates-ledger"
BESIDE = {"decision.json": "decision", "evidence.json": "evidence"}
OUTCOMES = ("promotion", "rollback", "failure")
MOVES = ("promotion", "rollback", "adoption")
JUDGED, MODEL = "verdict decision evidence policy", "alias policy model"
HOLDS = {  # what a record of a kind must hold
    "decision": f"{JUDGED} model",
    "intent": f"{MODEL} holder lease",
    "promotion": f"{JUDGED} {MODEL} intent after",
    "rollback": f"{MODEL} intent after target",
    "refusal": "alias policy code",
    "failure": f"{MODEL} intent code",
    "waiver": f"{JUDGED} waivers",
    "adoption": f"{MODEL} after",
    "monitor": f"{JUDGED} alias",
    "migration": "policy versions",
    "retrain": "alias policy retrain",
    "experiment": "alias policy experiment",
}
LACKS = {  # and what it must not
    "decision": "intent target after code",
    "intent": "intent code",
    "promotion": "target code holder lease",
    "rollback": "code holder lease",
    "refusal": "intent holder lease",
    "failure": "after holder lease",
    "waiver": "alias intent target before after code holder lease",
    "adoption": "verdict decision evidence intent target code holder lease waivers",
    "monitor": "model intent target before after code holder lease waivers",
    "migration": "alias verdict decision evidence model intent target before after code holder lease waivers",
    "retrain": "verdict decision evidence model intent target before after code holder lease waivers",
    "experiment": "model intent target before after code holder lease waivers",
}
AGAIN = "name alias verdict decision evidence policy model data source attached".split()  # of what is gone back to
KEYS = set(
    "schema kind sequence previous at time_source tool python name alias reason code verdict decision evidence policy "
    "model data source run before after intent target holder lease approvals waivers attached".split()
)
LATE = {"versions": "migration", "retrain": "retrain", "experiment": "experiment"}  # keys of one kind alone
SAME = (  # what an outcome repeats of its intent
    "name alias verdict decision evidence policy model data source before target approvals waivers attached".split()
)


def git(repository, *arguments):
    """What git answers, of history as it is: no replaced objects, no grafts."""
    as_it_is = {**os.environ, "GIT_NO_REPLACE_OBJECTS": "1", "GIT_GRAFT_FILE": os.devnull}
    command = ["git", "-C", repository, *arguments]
    return subprocess.run(command, capture_output=True, check=True, env=as_it_is).stdout


def sha256(data):
    """The digest of bytes, as records write it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(value):
    """RFC 8785 for what a ledger holds. Numbers that are no whole ones are written as JavaScript writes them."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return b"{" + b",".join(canonical(key) + b":" + canonical(value[key]) for key in keys) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    if isinstance(value, float):
        return number(value).encode()
    return json.dumps(value, ensure_ascii=False).encode()


def number(value):
    """ECMAScript's Number.toString."""
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    digits, _, exponent = repr(value).partition("e")
    if not exponent:
        return digits
    power = int(exponent)
    if -7 < power < 0:
        sign, whole = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
        return sign + "0." + "0" * (-power - 1) + whole.replace(".", "")
    return f"{digits.removesuffix('.0')}e{'+' if power > 0 else ''}{power}"


def entries(repository, head):
    """(commit, parents, {name: (mode, bytes)}), the first one first."""
    if git(repository, "rev-parse", "--is-shallow-repository").strip() != b"false":
        raise SystemExit("this clone is shallow, so the ledger may be cut off: git fetch --unshallow")
    for line in git(repository, "rev-list", "--first-parent", "--reverse", "--parents", head).decode().splitlines():
        commit, *parents = line.split()
        files = {}
        for entry in git(repository, "ls-tree", "-r", "-z", commit).decode().split("\0")[:-1]:
            about, _, name = entry.partition("\t")
            mode, _, blob = about.split()
            files[name] = (mode, git(repository, "cat-file", "blob", blob))
        yield commit, parents, files


def named(record):
    """The documents that a record names: file name to digest."""
    found = {name: record[key] for name, key in BESIDE.items() if record[key]}
    if record["policy"]:
        found["policy.json"] = record["policy"]["digest"]
    if record["model"]:
        found["manifest.json"] = record["model"]["digest"]
    return {**found, **record["attached"]}


def flaws_of(place, files, parents, before, previous, seen):
    """What is wrong with one record, as stable words; and the digest of its bytes. ``seen``: what came before it."""
    mode, data = files.get("record.json", ("", b""))
    told = sha256(data)
    found = [] if parents == ([before] if before else []) else ["parents"]
    try:
        record = json.loads(data)
        if record["schema"] != "gates/record/v1" or set(record) - set(LATE) != KEYS or mode != "100644":
            return [*found, "unreadable"], told
        found += ["not_canonical"] if canonical(record) != data else []
        found += ["sequence"] if record["sequence"] != place else []
        found += ["previous"] if record["previous"] != previous else []
        found += late(record, seen) + form(record) + rests(record, told, seen) + order(record, told, seen)
        found += beside(record, files)
    except (ValueError, KeyError, TypeError, AttributeError):
        found.append("unreadable")
    return found, told


def late(record, seen):
    """It was not written an hour or more before the record that it follows."""
    now = datetime.datetime.strptime(record["at"], "%Y-%m-%dT%H:%M:%SZ")
    before, seen["last"] = seen["last"] or now, max(seen["last"] or now, now)
    return ["time"] if before - now > datetime.timedelta(hours=1) else []


def form(record):
    """It holds what its kind asks for, and nothing that its kind must not."""
    promoting = record["kind"] == "promotion" or (record["kind"] == "intent" and not record["target"])
    must = HOLDS[record["kind"]].split() + (JUDGED.split() if promoting else [])
    judged = not promoting or (record["model"] and record["model"]["predictions"] and record["model"]["holdout"])
    judged = judged and all((key in record) == (record["kind"] == kind) for key, kind in LATE.items())
    decided = [record[key] is not None for key in JUDGED.split()[:3]]
    judged = judged and fitting(record.get("retrain"), record.get("experiment"), decided)
    fits = judged and all(record[key] for key in must) and not any(record[key] for key in LACKS[record["kind"]].split())
    return [] if fits else ["incomplete"]


def fitting(plan, step, judged):
    """A refusal to train has a code, a start says what it rests on, the end of a pause rests on nothing. A look at an
    experiment was judged, a start and a stop were not; all but the start name it."""
    if plan is not None:
        held = [plan[key] is not None for key in ("record", "fresh_rows", "until")]
        wanted = {"started": all(held), "refused": True, "resumed": not any(held)}
        return wanted.get(plan["state"], False) and (plan["code"] is not None) == (plan["state"] == "refused")
    states = {"started": (True, [False] * 3), "look": (False, [True] * 3), "stopped": (False, [False] * 3)}
    return step is None or states.get(step["state"]) == (step["start"] is None, judged)


def rests(record, told, seen):
    """What it goes back to, takes the place of, and was accepted by, stands in records before it."""
    found, kind, alias = [], record["kind"], (record["name"], record["alias"])
    if record["target"] and kind in ("intent", "rollback", "failure"):
        goal = seen["moves"].get(record["target"])
        same = goal and all(record[key] == goal[key] for key in AGAIN)
        found += [] if same and (kind == "failure" or record["after"] == goal["after"]) else ["target"]
    if kind == "intent" and not record["target"]:
        found += [] if record["before"] == seen["stood"].get(alias) else ["before"]
    if kind in ("intent", "promotion"):
        found += [] if all([record["name"], one] in seen["given"] for one in record["waivers"]) else ["waiver"]
    if kind == "waiver":
        seen["given"] += [[record["name"], one] for one in record["waivers"]]
    if kind == "migration":
        found += copies(record, seen)
    if kind == "retrain":
        named = record["retrain"]["record"]
        found += [] if named is None or [record["name"], named] in seen["watched"] else ["retrain"]
    if kind == "experiment":
        start = record["experiment"]["start"]
        found += [] if start is None or [record["name"], start] in seen["started"] else ["experiment"]
        seen["started"] += [[record["name"], told]] if start is None else []
    if kind == "monitor":
        seen["watched"] += [[record["name"], told]]
    if kind in MOVES:
        seen["moves"][told], seen["stood"][alias] = record, record["after"]
    approvers = [one["user"]["id"] for one in record["approvals"]]
    return found + (["not_approved"] if None in approvers or record["run"]["actor"]["id"] in approvers else [])


def copies(record, seen):
    """A migration copies what the records before it know, all that aliases name, and no other bytes; from then on
    versions have their new numbers."""

    def key(version):
        return version and (version["version"], version["digest"])

    name, versions = record["name"], record["versions"]
    now = {key(one["before"]): one["after"] for one in versions}
    known = {key(one["after"]) for one in seen["moves"].values() if one["name"] == name}
    stood = {alias: version for (of, alias), version in seen["stood"].items() if of == name and version}
    named = {(alias, key(one["before"])) for one in versions for alias in one["aliases"]}
    found = [] if now.keys() <= known and named == {(one, key(it)) for one, it in stood.items()} else ["before"]
    numbers = {one["after"]["version"] for one in versions}
    same = all(one["before"]["digest"] == one["after"]["digest"] for one in versions)
    found += [] if same and len(numbers) == len(now) == len(versions) else ["contradiction"]
    for told, one in seen["moves"].items():
        if one["name"] == name:
            seen["moves"][told] = {**one, "after": now.get(key(one["after"]))}
    seen["stood"].update({(name, alias): now.get(key(version)) for alias, version in stood.items()})
    return found


def order(record, told, seen):
    """An outcome closes one open intent, and says of it what it said."""
    if record["kind"] == "intent":
        seen["intents"][told] = record
    if record["kind"] in OUTCOMES:
        intent = seen["intents"].pop(record["intent"], None)
        if intent is None or any(record[key] != intent[key] for key in SAME):
            return ["intent"]
    moved = record["kind"] in MOVES
    return ["contradiction"] if moved and record["after"]["digest"] != record["model"]["digest"] else []


def beside(record, files):
    """The documents are those that the record names, and it says what they say."""
    documents = named(record)
    plain = {name: data for name, (mode, data) in files.items() if name != "record.json" and mode == "100644"}
    changed = {name: sha256(data) for name, data in plain.items()} != documents
    if changed or files.keys() - {"record.json"} != plain.keys():
        return ["documents"]
    if "decision.json" not in plain or "evidence.json" not in plain or record["policy"] is None:
        return []
    decision, evidence = json.loads(plain["decision.json"]), json.loads(plain["evidence.json"])
    said = [record["verdict"], record["evidence"], record["policy"]["digest"]]
    said += [record["model"]["digest"]] if record["model"] else []
    meant = [decision["verdict"], decision["evidence"], decision["policy"]]
    meant += [(decision["candidate"] or {}).get("digest")] if record["model"] else []
    tables = [[[table.get(key) for key in ("name", "digest", "rows", "since", "until")] for table in one] for one in
              (record["data"], evidence.get("tables", []))]  # fmt: skip
    found = ["contradiction"] if said != meant or tables[0] != tables[1] else []
    promoted = record["kind"] in ("intent", "promotion") and not record["target"]
    return found + (["not_accepted"] if promoted and decision["verdict"] != "pass" and not record["waivers"] else [])


def verify(repository, head=BRANCH, expected=None):
    """[(sequence, flaw)], and the digest of the newest record."""
    found, digests, before = [], [], None
    seen = {"intents": {}, "moves": {}, "stood": {}, "given": [], "watched": [], "started": [], "last": None}
    for place, (commit, parents, files) in enumerate(entries(repository, head), 1):
        previous = digests[-1] if digests else None
        flaws, told = flaws_of(place, files, parents, before, previous, seen)
        found += [(place, flaw) for flaw in flaws]
        digests.append(told)
        before = commit
    if expected and expected not in digests:
        found.append((0, "anchor"))
    return found, digests[-1] if digests else None


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repository")
    parser.add_argument("--branch", default=BRANCH)
    parser.add_argument("--expect-head", help="the digest of a record that was the newest once")
    options = parser.parse_args()
    try:
        found, head = verify(options.repository, options.branch, options.expect_head)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(re.sub(r"//[^/@\s]*@", "//", error.stderr.decode(errors="replace")))
        return 2
    for place, flaw in found:
        print(f"record {place}: {flaw}" if place else f"the ledger: {flaw}")
    if not options.expect_head:
        print("not known without --expect-head: whether records were taken from the end, or all was written anew")
    print(f"{len(found)} things are wrong" if found else f"nothing is wrong; newest {head}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
