"""Reads facts about commands from a real redis-server and writes heroredis/facts.json: arguments, key specs, tips.

`python -m tests.differential.facts PORT`. Only facts are taken: no summaries, no notes, no sentences.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.differential.harness import Wire

TARGET = Path(__file__).parents[2] / "heroredis" / "facts.json"
NUMBERS = (b"key_spec_index",)


def pairs_of(flat: object) -> dict[bytes, object]:
    assert isinstance(flat, list), flat
    return dict(zip(flat[::2], flat[1::2], strict=True))


def items(value: object) -> list[object]:
    assert isinstance(value, list), value
    return value


def text(value: object) -> str:
    assert isinstance(value, bytes), value
    return bytes(value).decode()


def argument(flat: object) -> list[object]:
    """[name, type, other facts]."""
    found = pairs_of(flat)
    more: dict[str, object] = {}
    for name, value in found.items():
        if name == b"arguments":
            more["arguments"] = [argument(part) for part in items(value)]
        elif name == b"flags":
            more["flags"] = [text(flag) for flag in items(value)]
        elif name not in (b"name", b"type"):
            more[text(name)] = value if isinstance(value, int) else text(value)
    return [text(found[b"name"]), text(found[b"type"]), *([more] if more else [])]


def plain(flat: object) -> list[object]:
    """[type, the values of its spec, in order]."""
    found = pairs_of(flat)
    spec = pairs_of(found[b"spec"])
    return [text(found[b"type"]), *(value if isinstance(value, int) else text(value) for value in spec.values())]


def key_spec(flat: object) -> list[object]:
    found = pairs_of(flat)
    return [" ".join(text(flag) for flag in items(found[b"flags"])), plain(found[b"begin_search"]),
            plain(found[b"find_keys"])]


def read(port: int) -> dict[str, dict[str, object]]:
    facts: dict[str, dict[str, object]] = {}

    def from_info(rows: object) -> None:
        for row in items(rows):
            name, *_, tips, specs, children = items(row)
            facts[text(name)] = {"tips": [text(tip) for tip in items(tips)],
                                 "keys": [key_spec(spec) for spec in items(specs)]}
            from_info(children)

    def from_docs(flat: object) -> None:
        for name, doc in pairs_of(flat).items():
            found = pairs_of(doc)
            facts[text(name)]["arguments"] = [argument(one) for one in items(found.get(b"arguments", []))]
            for more in (b"doc_flags", b"deprecated_since", b"replaced_by"):
                if more in found:
                    value = found[more]
                    facts[text(name)][text(more)] = [text(one) for one in value] if isinstance(value, list) else (
                        text(value))
            from_docs(found.get(b"subcommands", []))

    with Wire(("127.0.0.1", port)) as wire:
        from_info(wire.call("COMMAND"))
        from_docs(wire.call("COMMAND", "DOCS"))
    return facts


def main() -> None:
    found = read(int(sys.argv[1]))
    lines = [f"{json.dumps(name)}: " + json.dumps({key: value for key, value in facts.items() if value})
             for name, facts in sorted(found.items())]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
