"""Handlers with typed parameters: dataclasses, msgspec structs, pydantic models, plain types; and what does not fit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import pydantic
import pytest

from jobs import Handlers, Job
from jobs.testing import JobBench

handlers = Handlers()
Small = Annotated[int, msgspec.Meta(le=3)]
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


@pydantic.dataclasses.dataclass
class Checked:
    copies: pydantic.PositiveInt


@dataclass
class Letter:
    cover: Model


class Opaque:
    """Nothing that JSON could be read as."""


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


async def ends_of(function: Callable[..., Any], params: object) -> tuple[str, str, bytes]:
    made = Handlers()
    made.on("t", retries=3)(function)
    bench = JobBench(made)
    await bench.manager.create_job("t", params)
    [job] = await bench.drain()
    return job.state, job.reason, job.result or b""


@pytest.mark.parametrize(("kind", "fits", "shown", "does_not"), [
    (list[Model], '[{"to":"x"}]', "[Model(to='x', copies=1)]", '[{"to":7}]'),
    (Model | None, '{"to":"x"}', "Model(to='x', copies=1)", "[]"),
    (Letter, '{"cover":{"to":"x"}}', "Letter(cover=Model(to='x', copies=1))", '{"cover":{}}'),
    (Checked, '{"copies":1}', "Checked(copies=1)", '{"copies":-1}'),
    (list[Checked], '[{"copies":1}]', "[Checked(copies=1)]", '[{"copies":-1}]'),
    (Small, "3", "3", "4"),
    (object, "[1]", "[1]", "["),
])
async def test_types_inside_of_types_are_read_and_checked(kind: Any, fits: str, shown: str, does_not: str) -> None:
    async def handler(given) -> str:  # type: ignore[no-untyped-def]
        return repr(given)

    handler.__annotations__["given"] = kind
    assert await ends_of(handler, fits) == ("done", "", shown.encode())
    assert (await ends_of(handler, does_not))[:2] == ("error", "invalid")


async def test_models_may_be_params_and_results() -> None:
    async def handler(mail: Model) -> list[Model]:
        return [mail]

    for params in (Model(to="x"), Plain("x"), Packed("x"), {"to": "x"}):
        assert await ends_of(handler, params) == ("done", "", b'[{"to":"x","copies":1}]')
    with pytest.raises(TypeError, match="Opaque is nothing that JSON can hold"):
        await ends_of(handler, Opaque())


def test_handlers_that_could_not_be_given_what_they_ask_for_are_refused_at_once() -> None:
    def two_texts(to: str, subject: str) -> None: ...
    def untyped(job: Job, subject) -> None: ...  # type: ignore[no-untyped-def]
    def opaque(given: list[Opaque]) -> None: ...
    def unknown(given: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
    for function, words in ((two_texts, "'subject' of a handler would get the same"), (untyped, "'subject' .* no type"),
                            (opaque, "cannot be read as .*Opaque"), (unknown, "'Nowhere' is not defined")):
        with pytest.raises(ValueError, match=words):
            Handlers().on("t")(function)


class Greeter:
    async def __call__(self, mail: Plain) -> str:
        return "to " + mail.to


async def test_what_can_be_called_may_be_a_handler() -> None:
    async def greet(word: str, mail: Plain) -> str:
        return word + mail.to

    @functools.wraps(greet)
    def in_a_thread(*given: object) -> str:
        return "a plain function"

    assert await ends_of(Greeter(), MAIL) == ("done", "", b"to ada@example.com")
    assert await ends_of(functools.partial(greet, "hi "), MAIL) == ("done", "", b"hi ada@example.com")
    assert await ends_of(in_a_thread, MAIL) == ("done", "", b"a plain function")
