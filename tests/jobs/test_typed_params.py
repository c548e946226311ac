"""Handlers with typed parameters: dataclasses, msgspec structs, pydantic models, plain types; and what does not fit."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pydantic
import pytest

from jobs import Handlers, Job
from jobs.testing import JobBench

handlers = Handlers()
MAIL = '{"to": "ada@example.com", "copies": 2}'


@dataclass
class Plain:
    to: str
    copies: int = 1


class Packed(msgspec.Struct):
    to: str
    copies: int = 1


class Model(pydantic.BaseModel):
    to: str
    copies: int = 1


@handlers.on("plain", retries=3)
async def plain(mail: Plain, job: Job) -> list[object]:
    return [type(mail).__name__, mail.to, mail.copies, job.topic]


@handlers.on("packed", retries=3)
def packed(job: Job, mail: Packed) -> list[object]:
    return [type(mail).__name__, mail.to, mail.copies, job.topic]


@handlers.on("model", retries=3)
async def model(mail: Model, job: Job) -> list[object]:
    return [type(mail).__name__, mail.to, mail.copies, job.topic]


@handlers.on("numbers", retries=3)
async def numbers(given: dict[str, list[int]]) -> int:
    return sum(given["of"])


async def run(topic: str, params: str) -> Job:
    bench = JobBench(handlers)
    await bench.manager.create_job(topic, params)
    [job] = await bench.drain()
    return job


@pytest.mark.parametrize(("topic", "name"), [("plain", "Plain"), ("packed", "Packed"), ("model", "Model")])
async def test_params_are_read_as_the_type_that_is_asked_for(topic: str, name: str) -> None:
    job = await run(topic, MAIL)
    assert (job.state, msgspec.json.decode(job.result or b"")) == ("done", [name, "ada@example.com", 2, topic])
    job = await run(topic, '{"to": "x"}')
    assert msgspec.json.decode(job.result or b"")[2] == 1


@pytest.mark.parametrize("topic", ["plain", "packed", "model", "numbers"])
@pytest.mark.parametrize("params", ["", "no JSON", "{}", '{"to": 7}', '{"to": "x", "copies": "many"}', '{"of": ["x"]}',
                                    "[" * 100_000])
async def test_params_that_do_not_fit_end_the_job_and_burn_no_attempt(topic: str, params: str) -> None:
    if topic == "numbers" and params == "{}":
        params = "[]"
    job = await run(topic, params)
    assert (job.state, job.reason, job.attempts) == ("error", "invalid", 0)
    assert (job.error or b"").startswith(b"the params do not fit ")


async def test_plain_types_are_read_too() -> None:
    job = await run("numbers", '{"of": [1, 2, 3]}')
    assert job.result == b"6"
