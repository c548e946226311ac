"""What COMMAND says of each command, beside what the real server says. Every difference that is meant is in a list."""

from __future__ import annotations

import shlex
from typing import Final

import pytest

from tests.differential.compare import Pair
from tests.differential.harness import Failure, Tagged, Wire

Facts = dict[str, object]

ONLY_OURS: Final = frozenset({
    "client|setinfo",   # of Redis 7.2; libraries send it at every connection and would log the error
    "client|no-touch",  # of Redis 7.2; reads never reorder anything here
})
DIFFERENT: Final[dict[tuple[str, str], tuple[object, object]]] = {}


def text(value: object) -> str:
    assert isinstance(value, bytes), value
    return bytes(value).decode()


def items(value: object) -> list[object]:
    assert isinstance(value, list), value
    return value


def texts(value: object) -> list[str]:
    return [text(item) for item in items(value)]


def facts_of(element: object, into: dict[str, Facts]) -> None:
    name, arity, flags, first, last, step, categories, tips, specs, children = items(element)
    into[text(name)] = {
        "arity": arity, "flags": texts(flags), "first key": first, "last key": last, "step": step,
        "categories": texts(categories), "tips": texts(tips),
        "key specs": [without_notes(spec) for spec in items(specs)],
    }
    for child in items(children):
        facts_of(child, into)


def without_notes(spec: object) -> list[object]:
    """A key spec without the sentence that Redis adds to some."""
    parts = items(spec)
    return [part for at in range(0, len(parts), 2) if parts[at] != b"notes" for part in parts[at : at + 2]]


def docs_of(flat: object, into: dict[str, Facts]) -> None:
    parts = items(flat)
    for name, pairs in zip(parts[::2], parts[1::2], strict=True):
        facts = items(pairs)
        found = {text(key): value for key, value in zip(facts[::2], facts[1::2], strict=True)}
        into[text(name)] = {"since": text(found["since"]), "group": text(found["group"]), **{
            key: found.get(key) for key in ("arguments", "doc_flags", "deprecated_since", "replaced_by")}}
        if "subcommands" in found:
            docs_of(found["subcommands"], into)


def table(path: str) -> dict[str, Facts]:
    """Everything that is compared, by the name of the command or subcommand."""
    found: dict[str, Facts] = {}
    docs: dict[str, Facts] = {}
    with Wire(path) as wire:
        for element in items(wire.call("COMMAND")):
            facts_of(element, found)
        docs_of(wire.call("COMMAND", "DOCS"), docs)
    assert found.keys() == docs.keys()
    return {name: {**facts, **docs[name]} for name, facts in found.items()}


def test_the_command_table_is_that_of_the_real_server(both: tuple[str, str]) -> None:
    real, ours = table(both[0]), table(both[1])
    assert ours.keys() - real.keys() == ONLY_OURS
    different = {}
    for name in ours.keys() & real.keys():
        for fact, value in ours[name].items():
            if value != real[name][fact]:
                different[name, fact] = real[name][fact], value
    assert different == DIFFERENT


def form(value: object) -> object:
    """What kind each part of a RESP3 reply is; without the notes of key specs."""
    if isinstance(value, Tagged):
        parts = items(value.value)
        return [value.marker, *(form(part) for part in parts if not (isinstance(part, tuple) and part[0] == b"notes"))]
    if isinstance(value, list | tuple):
        return [form(part) for part in value]
    return type(value).__name__


def forms(path: str) -> dict[str, object]:
    """Of every command's facts and documentation, in RESP3."""
    found: dict[str, object] = {}
    with Wire(path, 3) as wire:
        for name in texts(wire.call("COMMAND", "LIST")):
            (info,) = items(wire.call("COMMAND", "INFO", name))
            docs = wire.call("COMMAND", "DOCS", name)
            assert isinstance(docs, Tagged)
            assert isinstance(docs.value, list)
            ((_, pairs),) = docs.value
            assert isinstance(pairs, Tagged)
            assert isinstance(pairs.value, list)
            told = {key: form(value) for key, value in pairs.value if key in (b"arguments", b"doc_flags")}
            found[name] = [*(form(part) for part in items(info)[:-1]), told]
    return found


def test_sets_are_told_as_sets(both: tuple[str, str]) -> None:
    real, ours = forms(both[0]), forms(both[1])
    assert {name for name in real.keys() & ours.keys() if real[name] != ours[name]} == set()
    for request in ("SET a b", "SORT a STORE b", "BLPOP a b 0"):
        replies = []
        for path in both:
            with Wire(path, 3) as wire:
                replies.append(wire.call("COMMAND", "GETKEYSANDFLAGS", *request.split()))
        assert replies[0] == replies[1]


def test_info_of_named_commands(both: tuple[str, str]) -> None:
    for names in (["get", "NOPE", "Config|Get", "config|nope", "nope|nope", "get|x"], ["blpop"], []):
        rows = []
        for path in both:
            with Wire(path) as wire:
                found = items(wire.call("COMMAND", "INFO", *names))
                rows.append([None if row is None else text(items(row)[0]) for row in found if names] or [])
        assert rows[0] == rows[1]


def test_docs_of_named_commands(both: tuple[str, str]) -> None:
    for path in both:
        with Wire(path, 3) as wire:
            docs = wire.call("COMMAND", "DOCS", "get", "nope", "CONFIG|SET")
        assert isinstance(docs, Tagged)
        assert docs.marker == "%"
        assert isinstance(docs.value, list)
        assert [text(name) for name, _ in docs.value] == ["get", "config|set"]


REQUESTS: Final = [
    "GET a", "SET a b", "MGET a b c", "MSET a 1 b 2 c", "MSET a 1 b 2", "DEL a b", "LMOVE a b LEFT RIGHT", "RENAME a b",
    "BLPOP a b c 0", "BRPOPLPUSH a b 0", "LMPOP 2 a b LEFT", "LMPOP 3 a b LEFT", "LMPOP 0 a LEFT", "LMPOP x a LEFT",
    "LMPOP -1 a LEFT", "BLMPOP 0 2 a b LEFT COUNT 2", "BLMPOP 0 9 a b LEFT", "COPY a b DB 1", "OBJECT ENCODING a",
    "OBJECT HELP", "PING x", "PING", "GET", "GET a b", "NOPE a", "CONFIG GET a", "CONFIG NOPE a", "HSET a f v f2 v2",
    "hget a f", "EXPIRE a 10 NX", "WATCH a b", "SUBSCRIBE a", "SCAN 0", "KEYS a", "SELECT 1", "MULTI x", "CLIENT ID x",
    "PUBLISH a b", "TOUCH a a a", "SWAPDB 0 1", "MOVE a 1", "COMMAND GETKEYS GET a", "COMMAND COUNT",
    "BITOP AND d a b", "BITFIELD a GET u8 0", "LCS a b LEN", "MEMORY USAGE a SAMPLES 5", "OBJECT FREQ a",
    "RESTORE a 0 x", "DUMP a", "MIGRATE h 1 a 0 10", "MIGRATE h 1 a 0 10 KEYS b c", "MIGRATE h 1 '' 0 10 KEYS b c",
    "WAIT 0 0", "DEBUG OBJECT a", "GETBIT a 0",
    "SORT a BY w_* GET x STORE b", "SORT a", "SORT a STORE b STORE c", "SORT a GET STORE b", "SORT a STORE",
    "SORT_RO a BY b GET c", "ZUNIONSTORE d 2 a b", "ZUNIONSTORE d 3 a b", "ZINTERSTORE d x a b", "ZDIFFSTORE d 1 a",
    "ZUNION 2 a b WITHSCORES", "ZINTER 1 a", "ZDIFF 2 a b", "ZINTERCARD 2 a b LIMIT 1", "SINTERCARD 2 a b",
    "SINTERSTORE d a b", "SMOVE a b c", "ZRANGESTORE d a 0 1", "ZMPOP 2 a b MIN", "BZMPOP 0 1 a MAX", "BZPOPMIN a b 0",
    "SET a b GET", "BITFIELD a GET u8 0", "BITFIELD a SET u8 0 1", "BITOP AND a b c", "ZUNIONSTORE a 2 b c",
    "ZINTER 2 a b", "SSUBSCRIBE a", "SPUBLISH a b", "SINTERCARD 2 a b", "ZADD a 1 b", "LCS a b", "MEMORY USAGE a",
    "SMOVE a b c", "BZPOPMIN a b 0", "RESTORE a 0 x", "GETEX a", "PING a b c",
]


@pytest.mark.parametrize("request_line", REQUESTS)
def test_getkeys(both: tuple[str, str], request_line: str) -> None:
    pair = Pair(*both, 2)
    for name in (b"GETKEYS", b"GETKEYSANDFLAGS"):
        pair.step((b"COMMAND", name, *(word.encode() for word in shlex.split(request_line))))
    pair.close()


@pytest.mark.parametrize("filter_", [
    ("PATTERN", "h*get*"), ("PATTERN", "config*"), ("PATTERN", "cl*t|t*"), ("ACLCAT", "hash"),
    ("ACLCAT", "transaction"),
    ("ACLCAT", "admin"), ("PATTERN", "NOPE"), ("MODULE", "nope"), ("ACLCAT", "nope"), ("NOPE", "x"), ("PATTERN",)])
def test_list_filtered(both: tuple[str, str], filter_: tuple[str, ...]) -> None:
    replies = []
    with Wire(both[1]) as wire:
        known = set(texts(wire.call("COMMAND", "LIST")))
    for path in both:
        with Wire(path) as wire:
            found = wire.call("COMMAND", "LIST", "FILTERBY", *filter_)
            replies.append(found if isinstance(found, Failure) else sorted(known & set(texts(found))))
    assert replies[0] == replies[1]
