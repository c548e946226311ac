"""Backoff, handlers' arguments and results, and the readable form of a job."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

import msgspec
import pytest

import jobs
from jobs import errors
from jobs.errors import BadOption, InvalidParams
from jobs.handlers import Handlers, result_bytes
from jobs.indexer import rests_for
from jobs.job import Job, decode, encode, replace, to_json
from jobs.job_record import NAMES, Extra, JobRecord
from jobs.retry import delay_ms


@pytest.mark.parametrize(("spec", "delays"), [
    ("fixed:50", [50, 50, 50]), ("list:1,20,300", [1, 20, 300, 300]), ("exp:100", [100, 200, 400, 800]),
    ("exp:1000:3000", [1000, 2000, 3000, 3000]),
])
def test_backoff_without_jitter(spec: str, delays: list[int]) -> None:
    assert [delay_ms(spec, attempt, random.Random(0)) for attempt in range(1, len(delays) + 1)] == delays


def test_jitter_stays_within_its_share() -> None:
    rng = random.Random(3)
    delays = [delay_ms("exp:1000:1000:20%", 1, rng) for _ in range(200)]
    assert 800 <= min(delays) < 900
    assert 1100 < max(delays) <= 1200


@pytest.mark.parametrize("spec", [
    "", "fixed", "fixed:x", "list:", "list:1,,2", "exp:", "exp:1:2:3:4", "cron:1", "exp:-1",
])
def test_backoff_that_cannot_be_read(spec: str) -> None:
    with pytest.raises(BadOption, match="backoff"):
        delay_ms(spec, 1, random.Random(0))


class Mail(msgspec.Struct):
    to: str


@dataclass
class Plain:
    number: int


def test_handlers_get_the_job_or_its_params_in_their_types() -> None:
    handlers = Handlers()

    @handlers.on("untyped")
    def untyped(job):  # type: ignore[no-untyped-def]
        """Anything."""

    @handlers.on("struct")
    def struct(mail: Mail, job: Job) -> None:
        """Two arguments."""

    @handlers.on("plain")
    async def plain(value: Plain) -> None:
        """A dataclass."""

    job = Job(job_id=1, params=b'{"to": "x", "number": 3}')
    [given] = handlers.get("untyped").arguments(job)  # type: ignore[union-attr]
    assert given is job
    assert handlers.get("struct").arguments(job) == [Mail("x"), job]  # type: ignore[union-attr]
    assert handlers.get("plain").arguments(job) == [Plain(3)]  # type: ignore[union-attr]
    with pytest.raises(InvalidParams, match="Plain"):
        handlers.get("plain").arguments(Job(params=b"[]"))  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="already has a handler"):
        handlers.on("plain")(plain)


@pytest.mark.parametrize(("value", "expected"), [
    (None, b""), (b"\x00", b"\x00"), ("é", "é".encode()), ({"a": [1]}, b'{"a":[1]}'), (7, b"7"),
])
def test_results(value: object, expected: bytes) -> None:
    assert result_bytes(value) == expected


def test_a_result_that_cannot_be_encoded_is_an_error() -> None:
    with pytest.raises(TypeError):
        result_bytes(object())


def test_records_keep_every_field() -> None:
    job = Job(job_id=5, topic="t", params=b"\xff", tags=("a", "b"), error=b"e", version=3, token="x", meta=b"{}")
    assert decode(encode(job)) == job


def test_the_class_and_its_record_have_the_same_fields() -> None:
    assert Job().fields() == msgspec.structs.astuple(JobRecord())
    numbered = Job(1, 2, "3", "4", "5", b"6", b"7", b"8", b"9", 10, 11, 12, 13, 14, 15, 16, "17", ("18",), 19, 20, "21",
                   "22", 23, 24, 25, "26", b"27", Extra(28))
    assert tuple(getattr(numbered, name) for name in NAMES) == numbered.fields()


@pytest.mark.parametrize("count", [3, 20, len(NAMES) - 1, len(NAMES), len(NAMES) + 2])
def test_records_of_fewer_or_more_fields_are_read(count: int) -> None:
    job = Job(job_id=5, topic="t", params=b"x")
    fields = [*job.fields(), "of a later version", 1][:count]
    assert decode(msgspec.msgpack.encode(fields)) == Job(*job.fields()[:count])


def test_a_changed_copy_knows_its_fields() -> None:
    assert replace(Job(job_id=1), topic="u") == Job(job_id=1, topic="u")
    with pytest.raises(TypeError):
        replace(Job(), colour="red")


def test_the_index_leaves_the_processor_to_a_flood() -> None:
    assert [rests_for(grown) for grown in (0, 3000, 3001, 60_000, 300_000)] == [1, 1, 3, 3, 30]


def test_a_record_of_a_later_format_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="format 2"):
        decode(encode(Job(format=2)))


def test_a_result_is_read_as_json() -> None:
    assert Job(result=b'{"a": [1]}').result_json() == {"a": [1]}
    assert [Job().result_json(), Job(result=b"").result_json()] == [None, None]
    with pytest.raises(ValueError, match=r"the result of job 7 is no JSON: .*; `result` has its bytes"):
        Job(job_id=7, result=b"sent").result_json()


def test_what_the_manager_raises_can_be_imported_from_jobs() -> None:
    for name in ("BadOption", "BadState", "JobNotFound", "Refused", "StaleToken"):
        assert getattr(jobs, name) is getattr(errors, name)
        assert issubclass(getattr(jobs, name), errors.JobRefused)


def test_json_shows_text_as_text_and_bytes_as_base64() -> None:
    shown = json.loads(to_json(Job(job_id=1, topic="t", params=b"\xff\x00", result="ä".encode())))
    assert (shown["params"], shown["params_base64"], shown["result"]) == (None, "/wA=", "ä")
