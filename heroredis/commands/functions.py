"""FUNCTION and FCALL of a server without a language for functions: libraries there are none, and none can be loaded.

What asks for nothing else, such as FUNCTION FLUSH between tests, is answered as a server with no libraries does.
"""

from __future__ import annotations

import re
from typing import Final

from heroredis.command import Command, command, counted_keys
from heroredis.errors import RedisError, wrong_subcommand
from heroredis.inline import split_line
from heroredis.rdb.payload import is_whole, seal
from heroredis.reply import OK, Map, Reply
from heroredis.session.context import Context

NOT_FOUND: Final = b"ERR Function not found"
BAD_METADATA: Final = b"ERR Invalid library metadata"
NAME: Final = re.compile(rb"[A-Za-z0-9_]+")
POLICIES: Final = (b"FLUSH", b"APPEND", b"REPLACE")


@command("FUNCTION FLUSH", "Delete all libraries.", group="scripting", since="7.0.0", flags="write noscript")
def function_flush(ctx: Context, mode: bytes = b"SYNC", *more: bytes) -> Reply:
    if more:
        raise wrong_subcommand(b"FUNCTION", ctx.as_sent(1, b"FLUSH"))
    if mode.upper() not in (b"SYNC", b"ASYNC"):
        raise RedisError(b"ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    return OK


@command("FUNCTION LIST", "Libraries that are loaded: none.", group="scripting", since="7.0.0", flags="noscript")
def function_list(ctx: Context, *options: bytes) -> Reply:
    at = 0
    seen = set()
    while at < len(options):
        name = options[at].upper()
        if name in seen or name not in (b"WITHCODE", b"LIBRARYNAME"):
            raise RedisError(b"ERR Unknown argument %b" % options[at])
        seen.add(name)
        at += 1
        if name == b"LIBRARYNAME":
            if at == len(options):
                raise RedisError(b"ERR library name argument was not given")
            at += 1
    return []


@command("FUNCTION STATS", "The function that runs, and what each engine has loaded.", group="scripting", since="7.0.0",
         flags="noscript allow_busy")
def function_stats(ctx: Context) -> Reply:
    return Map([(b"running_script", None), (b"engines", Map([]))])


@command("FUNCTION DUMP", "All libraries in the form that FUNCTION RESTORE takes.", group="scripting", since="7.0.0",
         flags="noscript")
def function_dump(ctx: Context) -> Reply:
    return seal(b"")


@command("FUNCTION KILL", "End the function that runs.", group="scripting", since="7.0.0", flags="noscript allow_busy")
def function_kill(ctx: Context) -> Reply:
    raise RedisError(b"NOTBUSY No scripts in execution right now.")


@command("FUNCTION DELETE", "Delete a library.", group="scripting", since="7.0.0", flags="write noscript")
def function_delete(ctx: Context, name: bytes) -> Reply:
    raise RedisError(b"ERR Library not found")


def _engine_of(code: bytes) -> bytes:
    """The engine that the first line of a library names; refused when the line is not as it should be."""
    if not code.startswith(b"#!"):
        raise RedisError(b"ERR Missing library metadata")
    line, found, _ = code.partition(b"\n")
    if not found:
        raise RedisError(BAD_METADATA)
    words = split_line(line)
    if words is None:
        raise RedisError(BAD_METADATA)
    name = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise RedisError(b"ERR Invalid metadata value given: %b" % word)
        if name is not None:
            raise RedisError(b"ERR Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise RedisError(b"ERR Library name was not given")
    if NAME.fullmatch(name) is None:
        raise RedisError(b"ERR Library names can only contain letters, numbers, or underscores(_) and must be at least "
                         b"one character long")
    return words[0][2:]


@command("FUNCTION LOAD", "Load a library; refused, for there is no engine that could run it.", group="scripting",
         since="7.0.0", flags="write denyoom noscript")
def function_load(ctx: Context, code: bytes, *more: bytes) -> Reply:
    words = (code, *more)
    for word in words[:-1]:
        if word.upper() != b"REPLACE":
            raise RedisError(b"ERR Unknown option given: %b" % word)
    raise RedisError(b"ERR Engine '%b' not found" % _engine_of(words[-1]))


@command("FUNCTION RESTORE", "Load what FUNCTION DUMP gave; a dump without libraries only.", group="scripting",
         since="7.0.0", flags="write denyoom noscript")
def function_restore(ctx: Context, payload: bytes, policy: bytes = b"APPEND", *more: bytes) -> Reply:
    if more:
        raise wrong_subcommand(b"FUNCTION", ctx.as_sent(1, b"RESTORE"))
    if policy.upper() not in POLICIES:
        raise RedisError(b"ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    if not is_whole(payload):
        raise RedisError(b"ERR DUMP payload version or checksum are wrong")
    if payload != seal(b""):
        raise RedisError(b"ERR the payload holds libraries, and there is no engine that could run them")
    return OK


def _call(ctx: Context, function: bytes, count: bytes, *more: bytes) -> Reply:
    raise RedisError(NOT_FOUND)


def _calling(name: str, more_flags: str) -> Command:
    flags = f"noscript stale skip_monitor no_mandatory_keys{more_flags}"
    return command(name, "Call a function of a library; there are none.", group="scripting", since="7.0.0", flags=flags,
                   keys=counted_keys(2))(_call)


COMMANDS: Final = [_calling("FCALL", ""), _calling("FCALL_RO", " readonly")]
