"""Bitmaps: strings seen as rows of bits, and as integers of any width packed into them."""

from __future__ import annotations

from typing import Final

from heroredis.args import MAX_INT, integer, read_int
from heroredis.command import FIRST, KeySpec, command
from heroredis.errors import RedisError, syntax
from heroredis.keyspace.change import GENERIC, STRING
from heroredis.reply import Reply
from heroredis.session.context import Context
from heroredis.types import bits

BAD_OFFSET: Final = b"ERR bit offset is not an integer or out of range"
BAD_BIT: Final = b"ERR bit is not an integer or out of range"
BAD_TYPE: Final = (b"ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
OVERFLOWS: Final = {b"WRAP": bits.WRAP, b"SAT": bits.SAT, b"FAIL": bits.FAIL}
BEHIND_FIRST: Final = KeySpec(2, -1, 1)
GET: Final = 0
SET: Final = 1
INCRBY: Final = 2


def _offset(ctx: Context, text: bytes, factor: int = 0) -> int:
    """A bit's position; with a factor also `#n`, the n-th field of that width."""
    by_field = factor > 0 and text[:1] == b"#"
    offset = read_int(text[1:] if by_field else text)
    if offset is None:
        raise RedisError(BAD_OFFSET)
    if by_field:
        offset *= factor
    if not 0 <= offset <= MAX_INT or offset >> 3 >= ctx.server.parameters.integer("proto-max-bulk-len"):
        raise RedisError(BAD_OFFSET)
    return offset


def _bits(ctx: Context, key: bytes) -> bytes | bytearray | None:
    """The string of a key, to be read only."""
    held = ctx.db.lookup(key)
    return held if isinstance(held, bytearray) else ctx.db.get_string(key)


def _writable(ctx: Context, key: bytes, last_bit: int) -> tuple[bytearray, bool]:
    """The string of a key as it may be written, reaching to `last_bit`; whether it was made or made longer."""
    held = ctx.db.lookup(key)
    data = held if isinstance(held, bytearray) else bytearray(ctx.db.get_string(key) or b"")
    grown = bits.grow(data, last_bit)
    if data is not held:
        ctx.db.replace(key, data)
    return data, grown


@command("SETBIT", "Set or clear a bit; answers what it was.", group="bitmap", since="2.2.0", flags="write denyoom",
         keys=FIRST)
def setbit(ctx: Context, key: bytes, offset: bytes, value: bytes) -> Reply:
    at = _offset(ctx, offset)
    bit = read_int(value)
    if bit is None or not 0 <= bit <= 1:
        raise RedisError(BAD_BIT)
    data, grown = _writable(ctx, key, at)
    old = bits.set_bit(data, at, bit)
    if grown or old != bit:
        ctx.db.changed(key, "setbit", STRING)
    return old


@command("GETBIT", "The bit at an offset.", group="bitmap", since="2.2.0", flags="readonly fast", keys=FIRST)
def getbit(ctx: Context, key: bytes, offset: bytes) -> Reply:
    at = _offset(ctx, offset)
    data = _bits(ctx, key)
    return 0 if data is None else bits.get_bit(data, at)


def _by_bit(unit: bytes) -> bool:
    word = unit.upper()
    if word not in (b"BIT", b"BYTE"):
        raise syntax()
    return word == b"BIT"


def _clipped(start: int, end: int, size: int) -> tuple[int, int] | None:
    """A range that may count from the end, cut to what is there; None when nothing is."""
    first = max(0, start + size if start < 0 else start)
    last = min(size - 1, max(0, end + size if end < 0 else end))
    return None if first > last else (first, last)


@command("BITCOUNT", "How many bits are set, in the whole string or in a range of bytes or bits.", group="bitmap",
         since="2.6.0", flags="readonly", keys=FIRST, complexity="O(N)")
def bitcount(ctx: Context, key: bytes, *range_: bytes) -> Reply:
    data = _bits(ctx, key)
    if data is None:
        return 0
    if not range_:
        return bits.count(data)
    if not 2 <= len(range_) <= 3:
        raise syntax()
    start, end = integer(range_[0]), integer(range_[1])
    if start < 0 and end < 0 and start > end:  # before a wrong unit is looked at
        return 0
    by_bit = len(range_) == 3 and _by_bit(range_[2])
    found = _clipped(start, end, len(data) * 8 if by_bit else len(data))
    if found is None:
        return 0
    first, last = found
    return bits.count(bits.part_of(data, first, last) if by_bit else data[first : last + 1])


@command("BITPOS", "Position of the first bit that is set, or clear.", group="bitmap", since="2.8.7", flags="readonly",
         keys=FIRST, complexity="O(N)")
def bitpos(ctx: Context, key: bytes, bit: bytes, *range_: bytes) -> Reply:
    wanted = integer(bit)
    if not 0 <= wanted <= 1:
        raise RedisError(b"ERR The bit argument must be 1 or 0.")
    data = _bits(ctx, key)
    if data is None:
        return -1 if wanted else 0
    if len(range_) > 3:
        raise syntax()
    start = integer(range_[0]) if range_ else 0
    by_bit = len(range_) == 3 and _by_bit(range_[2])
    end = integer(range_[1]) if len(range_) > 1 else -1
    size = len(data) * 8 if by_bit else len(data)
    found = _clipped(start, end, size)
    if found is None:
        return -1
    first, last = found
    if not by_bit:
        first, last = first * 8, last * 8 + 7
    position = bits.find(data, wanted, first, last)
    if position < 0 and not wanted and len(range_) < 2:
        return len(data) * 8  # behind a string without a given end there are only zeros
    return position


@command("BITOP", "Combine strings bit by bit and store the result.", group="bitmap", since="2.6.0",
         flags="write denyoom", keys=BEHIND_FIRST, complexity="O(N)")
def bitop(ctx: Context, operation: bytes, destkey: bytes, key: bytes, *keys: bytes) -> Reply:
    word = operation.upper()
    if word not in (b"AND", b"OR", b"XOR", b"NOT"):
        raise syntax()
    if word == b"NOT" and keys:
        raise RedisError(b"ERR BITOP NOT must be called with a single source key.")
    sources = [_bits(ctx, name) or b"" for name in (key, *keys)]
    db = ctx.db
    result = bits.combined(word, sources)
    if result:
        db.store(destkey, result)
        db.changed(destkey, "set", STRING)
    elif db.lookup(destkey) is not None:
        db.remove(destkey)
        db.changed(destkey, "del", GENERIC)
    return len(result)


class Operation:
    """One step of BITFIELD."""

    def __init__(self, kind: int, offset: int, width: int, signed: bool, value: int, overflow: int) -> None:
        self.kind: Final = kind
        self.offset: Final = offset
        self.width: Final = width
        self.signed: Final = signed
        self.value: Final = value
        self.overflow: Final = overflow


def _field_type(text: bytes) -> tuple[bool, int]:
    width = read_int(text[1:].partition(b"\0")[0])
    signed = text[:1] == b"i"
    if text[:1] not in (b"i", b"u") or width is None or not 1 <= width <= (64 if signed else 63):
        raise RedisError(BAD_TYPE)
    return signed, width


def _operations(ctx: Context, words: tuple[bytes, ...], read_only: bool) -> list[Operation]:
    found = []
    overflow = bits.WRAP
    at = 0
    while at < len(words):
        name = words[at].upper()
        behind = len(words) - at - 1
        if name == b"GET" and behind >= 2:
            kind = GET
        elif name == b"SET" and behind >= 3:
            kind = SET
        elif name == b"INCRBY" and behind >= 3:
            kind = INCRBY
        elif name == b"OVERFLOW" and behind >= 1:
            mode = OVERFLOWS.get(words[at + 1].upper())
            if mode is None:
                raise RedisError(b"ERR Invalid OVERFLOW type specified")
            overflow = mode
            at += 2
            continue
        else:
            raise syntax()
        signed, width = _field_type(words[at + 1])
        offset = _offset(ctx, words[at + 2], width)
        value = integer(words[at + 3]) if kind != GET else 0
        found.append(Operation(kind, offset, width, signed, value, overflow))
        at += 3 if kind == GET else 4
    if read_only and any(step.kind != GET for step in found):
        raise RedisError(b"ERR BITFIELD_RO only supports the GET subcommand")
    return found


def _carry_out(data: bytearray, step: Operation, answers: list[object]) -> bool:
    """A SET or INCRBY; whether something is other than it was."""
    old = bits.read_field(data, step.offset, step.width, step.signed)
    if step.kind == SET:
        given = step.value if step.signed else step.value & ((1 << 64) - 1)
        new = bits.fitted(given, step.width, step.signed, step.overflow)
    else:
        new = bits.fitted(old + step.value, step.width, step.signed, step.overflow)
    if new is None:
        answers.append(None)
        return False
    bits.write_field(data, step.offset, step.width, new)
    answers.append(old if step.kind == SET else new)
    return new != old


def _bitfield(ctx: Context, key: bytes, words: tuple[bytes, ...], read_only: bool) -> Reply:
    steps = _operations(ctx, words, read_only)
    answers: list[object] = []
    writes = [step.offset + step.width - 1 for step in steps if step.kind != GET]
    if not writes:
        data = _bits(ctx, key) or b""
        for step in steps:
            answers.append(bits.read_field(data, step.offset, step.width, step.signed))
        return answers
    target, grown = _writable(ctx, key, max(writes))
    changes = 0
    for step in steps:
        if step.kind == GET:
            answers.append(bits.read_field(target, step.offset, step.width, step.signed))
        elif _carry_out(target, step, answers) or (grown and answers[-1] is not None):
            changes += 1
    if changes or grown:
        ctx.db.changed(key, "setbit", STRING, max(1, changes))
    return answers


@command("BITFIELD", "Read, set and add to integers of any width inside a string.", group="bitmap", since="3.2.0",
         flags="write denyoom", keys=FIRST, complexity="O(1) for each operation")
def bitfield(ctx: Context, key: bytes, *operations: bytes) -> Reply:
    return _bitfield(ctx, key, operations, False)


@command("BITFIELD_RO", "Read integers of any width inside a string.", group="bitmap", since="6.0.0",
         flags="readonly fast", keys=FIRST, complexity="O(1) for each operation")
def bitfield_ro(ctx: Context, key: bytes, *operations: bytes) -> Reply:
    return _bitfield(ctx, key, operations, True)
