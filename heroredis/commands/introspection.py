"""COMMAND: what the server can do, told from the declarations."""

from __future__ import annotations

from typing import Final

from heroredis import facts
from heroredis.acl.index import CATEGORIES
from heroredis.command import FLAGS, Command
from heroredis.command import command as declare
from heroredis.errors import RedisError, syntax
from heroredis.glob import matches
from heroredis.registry import Entry
from heroredis.reply import Map, Reply, SetOf, Simple
from heroredis.session.context import Context
from heroredis.syntax import Argument, parse

CHANNELS_AS_KEYS: Final = frozenset({"SPUBLISH", "SSUBSCRIBE", "SUNSUBSCRIBE"})
"""Their channels stand where keys would, because both have a slot."""


def _key_specs(command: Command) -> list[object]:
    keys = command.keys
    if keys.first == 0:
        return []
    access = b"RO" if "readonly" in command.flags else b"RW"
    last = keys.last - keys.first if keys.last >= 0 else keys.last
    return [Map([
        (b"flags", SetOf([Simple(access)])),
        (b"begin_search", Map([(b"type", b"index"), (b"spec", Map([(b"index", keys.first)]))])),
        (b"find_keys", Map([(b"type", b"range"), (b"spec", Map([
            (b"lastkey", last), (b"keystep", keys.step), (b"limit", 0)]))])),
    ])]


def _shown(name: str) -> bytes:
    return name.lower().replace(" ", "|").encode()


def described(entry: Entry) -> list[object]:
    """One element of COMMAND's reply."""
    command = entry.command
    children: object = [described(child) for child in entry.children.values()] if entry.children else SetOf([])
    tips = SetOf(facts.tips(entry.shown))
    if command is None:
        return [_shown(entry.name), -2, SetOf([]), 0, 0, 0, facts.flags_as_told(["@slow"]), tips, SetOf([]), children]
    keys = command.keys
    name = entry.shown
    categories = command.categories()
    return [
        _shown(entry.name), command.arity, facts.flags_as_told(flag for flag in FLAGS if flag in command.flags),
        keys.first, keys.last, keys.step, facts.flags_as_told(f"@{kind}" for kind in CATEGORIES if kind in categories),
        tips, SetOf(facts.key_specs(name) if facts.has_facts(name) else _key_specs(command)), children,
    ]


def documented(entry: Entry) -> Map:
    """One value of COMMAND DOCS' reply."""
    command = entry.command
    children = [(_shown(child.name), documented(child)) for child in (entry.children or {}).values()]
    if command is None:
        pairs: list[tuple[object, object]] = [
            (b"summary", f"A container for {entry.name} commands".encode()), (b"since", entry.since().encode()),
            (b"group", entry.group().encode()), (b"complexity", b"Depends on subcommand."),
        ]
    else:
        pairs = [
            (b"summary", command.summary.encode()), (b"since", command.since.encode()),
            (b"group", command.group.encode()), (b"complexity", command.complexity.encode()),
        ]
        if facts.has_facts(entry.shown):
            pairs += facts.more_docs(entry.shown)
        elif command.syntax:
            pairs.append((b"arguments", [_parsed(argument) for argument in parse(command.syntax)]))
        elif command.arguments:
            pairs.append((b"arguments", [_argument(name) for name in command.arguments]))
    if children:
        pairs.append((b"subcommands", Map([(name, docs) for name, docs in children])))
    return Map(pairs)


def _parsed(argument: Argument) -> Map:
    pairs: list[tuple[object, object]] = [(b"name", argument.name.encode()), (b"type", argument.kind.encode())]
    if argument.token:
        pairs.append((b"token", argument.token.encode()))
    flags: list[object] = [Simple(word) for word, given in (
        (b"optional", argument.optional), (b"multiple", argument.multiple)) if given]
    if flags:
        pairs.append((b"flags", SetOf(flags)))
    if argument.parts:
        pairs.append((b"arguments", [_parsed(part) for part in argument.parts]))
    return Map(pairs)


def _argument(name: str) -> Map:
    kind = b"key" if name in ("key", "source", "destination", "newkey") else b"string"
    pairs: list[tuple[object, object]] = [(b"name", name.encode()), (b"type", kind)]
    if kind == b"key":
        pairs.append((b"key_spec_index", 0))
    return Map(pairs)


def _named(ctx: Context, name: bytes) -> Entry | None:
    first, _, second = name.partition(b"|")
    found = ctx.server.registry.find(first)
    if found is None or not second:
        return found
    return (found.children or {}).get(second.upper())


@declare("COMMAND", "All commands with their facts.", group="server", since="2.8.13", flags="loading stale",
         complexity="O(N)")
def command_(ctx: Context, *unknown: bytes) -> Reply:
    return [described(entry) for entry in ctx.server.registry.top_level()]


@declare("COMMAND COUNT", "How many commands there are.", group="server", since="2.8.13", flags="loading stale")
def command_count(ctx: Context) -> Reply:
    return len(ctx.server.registry.top_level())


@declare("COMMAND INFO", "Facts of the named commands, or of all.", group="server", since="2.8.13",
         flags="loading stale", complexity="O(N)")
def command_info(ctx: Context, *names: bytes) -> Reply:
    if not names:
        return command_.run(ctx)
    found = [_named(ctx, name) for name in names]
    return [None if entry is None else described(entry) for entry in found]


@declare("COMMAND DOCS", "Documentation of the named commands, or of all.", group="server", since="7.0.0",
         flags="loading stale", complexity="O(N)")
def command_docs(ctx: Context, *names: bytes) -> Reply:
    if names:
        chosen = [entry for entry in (_named(ctx, name) for name in names) if entry is not None]
    else:
        chosen = ctx.server.registry.top_level()
    return Map([(_shown(entry.name), documented(entry)) for entry in chosen])


@declare("COMMAND LIST", "Names of all commands, filtered when asked for.", group="server", since="7.0.0",
         flags="loading stale", complexity="O(N)")
def command_list(ctx: Context, *options: bytes) -> Reply:
    entries = list(ctx.server.registry.commands.values())
    if not options:
        return [_shown(entry.name) for entry in entries]
    if len(options) != 3 or options[0].upper() != b"FILTERBY":
        raise syntax()
    kind, wanted = options[1].upper(), options[2]
    if kind == b"PATTERN":
        return [_shown(entry.name) for entry in entries if matches(wanted.lower(), _shown(entry.name), False)]
    if kind == b"ACLCAT":
        name = wanted.decode("latin-1").lower()
        return [_shown(e.name) for e in entries if e.command is not None and name in e.command.categories()]
    if kind == b"MODULE":
        return []
    raise syntax()


def _keys_of(ctx: Context, request: list[bytes]) -> tuple[Entry, list[int]]:
    """Who would run a request, and the indexes of its keys. RedisError where there are none."""
    entry = ctx.server.registry.resolve(request)
    if entry is None or entry.command is None:
        raise RedisError(b"ERR Invalid command specified")
    channels = entry.name in CHANNELS_AS_KEYS
    if channels or (entry.command.keys.first == 0 and entry.command.keys.finder is None):
        raise RedisError(b"ERR The command has no key arguments")
    if not entry.low <= len(request) <= entry.high:
        raise RedisError(b"ERR Invalid number of arguments specified for command")
    indexes = entry.command.keys.indexes(request)
    if not indexes and "no_mandatory_keys" not in entry.command.flags:
        raise RedisError(b"ERR Invalid arguments specified for command")
    return entry, indexes


@declare("COMMAND GETKEYS", "The keys that a request would use.", group="server", since="2.8.13",
         flags="loading stale", complexity="O(N)")
def command_getkeys(ctx: Context, name: bytes, argument: bytes, *arguments: bytes) -> Reply:
    request = [name, argument, *arguments]
    return [request[index] for index in _keys_of(ctx, request)[1]]


@declare("COMMAND GETKEYSANDFLAGS", "The keys that a request would use, and what would be done to each.",
         group="server", since="7.0.0", flags="loading stale", complexity="O(N)")
def command_getkeysandflags(ctx: Context, name: bytes, argument: bytes, *arguments: bytes) -> Reply:
    request = [name, argument, *arguments]
    entry, indexes = _keys_of(ctx, request)
    found = facts.flags_of_keys(entry.shown, request, indexes)
    return [[request[index], facts.flags_as_told(flags)]
            for index, flags in zip(indexes, found, strict=True)]
