"""What Redis 7.0 says of its commands beyond their declarations: tips, key specs, trees of arguments.

The facts lie in facts.json, read once from a real server (tests/differential/facts.py). Per command: `tips`; `keys`,
each [flags, [kind of begin, its values…], [kind of find, its values…]]; `arguments`, each [name, type, more];
`doc_flags`, `deprecated_since`, `replaced_by`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from heroredis.reply import Map, SetOf, Simple

BEGIN_NAMES: dict[str, tuple[str, ...]] = {"index": ("index",), "keyword": ("keyword", "startfrom")}
FIND_NAMES: dict[str, tuple[str, ...]] = {
    "range": ("lastkey", "keystep", "limit"), "keynum": ("keynumidx", "firstkey", "keystep")}
Spec = tuple[list[str], list[Any], list[Any]]


@functools.cache
def all_facts() -> dict[str, dict[str, Any]]:
    """Facts by the name of a command as COMMAND shows it."""
    path = Path(__file__).with_name("facts.json")
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def flags_as_told(flags: Iterable[str]) -> SetOf:
    return SetOf([Simple(flag.encode()) for flag in flags])


def has_facts(name: str) -> bool:
    return name in all_facts()


def tips(name: str) -> list[object]:
    return [tip.encode() for tip in all_facts().get(name, {}).get("tips", ())]


def specs(name: str) -> list[Spec]:
    return [(flags.split(), begin, find) for flags, begin, find in all_facts().get(name, {}).get("keys", ())]


def key_specs(name: str) -> list[object]:
    """Key specs as COMMAND sends them."""
    found: list[object] = []
    for flags, begin, find in specs(name):
        found.append(Map([
            (b"flags", flags_as_told(flags)),
            (b"begin_search", _half(begin, BEGIN_NAMES)), (b"find_keys", _half(find, FIND_NAMES)),
        ]))
    return found


def _half(half: list[Any], names: dict[str, tuple[str, ...]]) -> Map:
    kind, *values = half
    pairs: list[tuple[object, object]] = []
    for name, value in zip(names.get(kind, ()), values, strict=True):
        pairs.append((name.encode(), value if isinstance(value, int) else value.encode()))
    return Map([(b"type", kind.encode()), (b"spec", Map(pairs))])


def more_docs(name: str) -> list[tuple[object, object]]:
    """Further pairs of COMMAND DOCS."""
    found = all_facts().get(name, {})
    pairs: list[tuple[object, object]] = []
    if "doc_flags" in found:
        pairs.append((b"doc_flags", flags_as_told(found["doc_flags"])))
    for key in ("deprecated_since", "replaced_by"):
        if key in found:
            pairs.append((key.encode(), found[key].encode()))
    if "arguments" in found:
        pairs.append((b"arguments", [_argument(*one) for one in found["arguments"]]))
    return pairs


def synopsis(name: str) -> str:
    """The arguments as people read them: `<key> [SAMPLES <count>]`."""
    return _shown(all_facts().get(name, {}).get("arguments", []), " ")


def _shown(arguments: list[Any], between: str) -> str:
    return between.join(_shown_one(*one) for one in arguments)


def _shown_one(name: str, kind: str, more: dict[str, Any] | None = None) -> str:
    facts = more or {}
    flags = facts.get("flags", ())
    if kind == "pure-token":
        text = facts["token"]
    else:
        if kind == "oneof":
            text = _shown(facts["arguments"], "|")
            text = text if "optional" in flags and "token" not in facts else f"({text})"
        else:
            text = _shown(facts["arguments"], " ") if kind == "block" else f"<{name}>"
        text = f"{facts['token']} {text}" if facts.get("token") else text
    if "multiple" in flags:
        text = f"{text} ..." if "optional" in flags else f"{text} [{text} ...]"
    return f"[{text}]" if "optional" in flags else text


def _argument(name: str, kind: str, more: dict[str, Any] | None = None) -> Map:
    pairs: list[tuple[object, object]] = [(b"name", name.encode()), (b"type", kind.encode())]
    for key, value in (more or {}).items():
        if key == "arguments":
            pairs.append((b"arguments", [_argument(*one) for one in value]))
        elif key == "flags":
            pairs.append((b"flags", flags_as_told(value)))
        else:
            pairs.append((key.encode(), value if isinstance(value, int) else value.encode()))
    return Map(pairs)


def flags_of_keys(name: str, argv: list[bytes], indexes: list[int]) -> list[list[str]]:
    """What is done to each key of a request: the flags of the spec that finds it, or of the last one."""
    words = [word.upper() for word in argv]
    if name == "set":
        flags = ["RW", "access", "update"] if b"GET" in words[3:] else ["OW", "update"]
        return [flags for _ in indexes]
    if name == "bitfield":
        return [["RO", "access"] if _only_gets(words) else ["RW", "access", "update"] for _ in indexes]
    by_index: dict[int, list[str]] = {}
    known = specs(name)
    for flags, begin, find in known:
        for index in _found(begin, find, words):
            by_index.setdefault(index, [flag for flag in flags if flag not in ("incomplete", "variable_flags")])
    last = known[-1][0] if known else []
    return [by_index.get(index, last) for index in indexes]


def _only_gets(words: list[bytes]) -> bool:
    """Whether all operations of a BITFIELD are whole GETs; what cannot be understood counts as a write."""
    at = 2
    while at < len(words):
        left = len(words) - at - 1
        if words[at] == b"GET" and left >= 2:
            at += 3
        elif words[at] == b"OVERFLOW" and left >= 1:
            at += 2
        else:
            return False
    return True


def _found(begin: list[Any], find: list[Any], words: list[bytes]) -> range:
    """Indexes that a spec finds; none where it cannot tell."""
    if begin[0] == "index":
        first = begin[1]
    elif begin[0] == "keyword" and begin[1].encode() in words:
        first = words.index(begin[1].encode()) + 1
    else:
        return range(0)
    if find[0] == "range":
        last, step, limit = find[1:]
        if last >= 0:
            end = first + last
        else:
            end = len(words) + last
            if limit > 1:
                end = first + (len(words) - first) // limit - 1
        return range(first, end + 1, step)
    if find[0] == "keynum" and first + find[1] < len(words) and words[first + find[1]].isdigit():
        start = first + find[2]
        return range(start, start + int(words[first + find[1]]) * find[3], find[3])
    return range(0)
