"""The arguments of JOB.* commands: ids, names and options, each refused with its fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from heroredis.extension import Args, Client, Parser, integer, natural, raw
from jobs.errors import BadOption, Refused
from jobs.options import NO_KEY_TO_KEEP, PLAIN, JobOptions, check_topic

LONGEST_WAIT_MS: Final = 1 << 50
REPEATABLE: Final = ("TAG", "AFTER")
CREATE_VALUES: Final = {
    "DELAY": natural, "AT": natural, "PRIORITY": natural, "RETRY": natural, "BACKOFF": raw, "TIMEOUT": natural,
    "META": raw, "EXPIRE": natural, "UNIQUE": raw, "TTL": natural, "IDEMPOTENCY": raw, "KEEP": natural,
    "AFTER": integer,
}


def author(client: Client) -> str:
    """Who made a change, for the history: the connection's name, else its address."""
    return client.name.decode("utf-8", "replace") if client.name else f"client {client.addr}"


def decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise BadOption("topics, states and names are UTF-8 text") from None


def job_id_of(text: bytes) -> int:
    number = integer(text)
    if number < 1:
        raise BadOption(f"job ids are whole numbers from 1, not {number}")
    return number


def read_options(words: Sequence[bytes], flags: Sequence[str] = (), values: Mapping[str, Parser] | None = None,
               repeatable: Sequence[str] = ()) -> dict[str, object]:
    """The options of a JOB command; each may be given once, but for those that are `repeatable`."""
    return Args(words).options(flags, values, repeatable)


def create_options(options: tuple[bytes, ...]) -> JobOptions:
    """The options of JOB.CREATE."""
    tags: list[str] = []

    def tag(text: bytes) -> bool:
        tags.append(decoded(text))
        return True

    found = read_options(options, (), {**CREATE_VALUES, "TAG": tag}, REPEATABLE)
    if "DELAY" in found and "AT" in found:
        raise BadOption("give DELAY or AT, not both")
    if "AFTER" in found:
        raise Refused("AFTER is not possible yet: jobs cannot wait for other jobs")
    for name in ("UNIQUE", "IDEMPOTENCY"):
        if found.get(name) == b"":
            raise BadOption(f"the key of {name} is empty")
    if "KEEP" in found and "IDEMPOTENCY" not in found:
        raise BadOption(NO_KEY_TO_KEEP)
    backoff = bytes_of(found, "BACKOFF")
    return JobOptions(
        delay_ms=number_of(found, "DELAY", 0), run_at=number_of(found, "AT", 0), tags=tuple(tags),
        priority=number_of(found, "PRIORITY", PLAIN.priority), timeout_ms=number_of(found, "TIMEOUT", 0),
        retries=number_of(found, "RETRY", 0) if "RETRY" in found else None, meta=bytes_of(found, "META"),
        backoff=decoded(backoff), expire_ms=number_of(found, "EXPIRE", 0), unique=bytes_of(found, "UNIQUE"),
        unique_ttl_ms=number_of(found, "TTL", 0), idempotency=bytes_of(found, "IDEMPOTENCY"),
        idempotency_ms=number_of(found, "KEEP", PLAIN.idempotency_ms),
    )


def number_of(found: dict[str, object], name: str, default: int) -> int:
    value = found.get(name, default)
    return value if isinstance(value, int) else default


def bytes_of(found: dict[str, object], name: str) -> bytes:
    value = found.get(name)
    return value if isinstance(value, bytes) else b""


def fetch_options(words: list[bytes], worker: str) -> tuple[list[str], int, str]:
    """Topics, lease in ms (0 = the connection's) and worker name; options stand behind the topics."""
    lease_ms = 0
    given: list[bytes] = []
    while len(words) > 2 and words[-2].upper() in (b"LEASE", b"WORKER"):
        name = words[-2].upper()
        if name in given:
            raise BadOption(f"{name.decode()} is given twice, give it once")
        given.append(name)
        if name == b"LEASE":
            lease_ms = natural(words[-1])
            if not 1 <= lease_ms <= LONGEST_WAIT_MS:
                raise BadOption("give a LEASE of at least 1 ms")
        else:
            worker = decoded(words[-1])
        words = words[:-2]
    return [check_topic(decoded(word)) for word in words], lease_ms, worker


def token_of(options: tuple[bytes, ...], flags: tuple[str, ...] = ()) -> tuple[str | None, bool]:
    """The token of an attempt, and whether DEAD was given where it may be."""
    found = read_options(options, flags, {"TOKEN": decoded})
    return token_in(found), "DEAD" in found


def token_in(found: dict[str, object]) -> str | None:
    token = found.get("TOKEN")
    return token if isinstance(token, str) else None
