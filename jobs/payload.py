"""What a handler's parameters are filled with, by their types: the job, the attempt, the params as they are or read as
JSON into a dataclass, a msgspec or pydantic type. Decided once, when the handler is registered.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, get_type_hints

import msgspec

from jobs.errors import InvalidParams
from jobs.job import Job
from jobs.run import Run

Reader = Callable[[Job], object]
JOB_NAMES: Final = ("job", "_job")
PYDANTIC: Final = ("__pydantic_validator__", "__get_pydantic_core_schema__")
"""Attributes by which types of pydantic are known without importing it."""


def readers(function: Callable[..., Any]) -> list[Any]:
    """For each parameter: None = the job itself, Run = the running attempt, else what reads the params. Parameters with
    a default keep it. Raises ValueError for what could not be called or filled."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ValueError(f"{function!r} is a generator: a handler returns its result")
    hints = _hints(function)
    found: list[Any] = []
    kinds: list[Any] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            continue
        name, kind = parameter.name, hints.get(parameter.name)
        has_default = parameter.default is not inspect.Parameter.empty
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not has_default:
            raise ValueError(f"parameter {name!r} of a handler is keyword-only: it is called with its arguments in "
                             "order")
        if kind is Job or (kind is None and (not kinds or name in JOB_NAMES)):
            kind = Job
        elif has_default:
            continue
        if kind is None:
            raise ValueError(f"parameter {name!r} of a handler has no type: give it one that the params are read as")
        if kind in kinds:
            raise ValueError(f"parameter {name!r} of a handler would get the same as the one before: the params are "
                             "one value, take them as a dataclass, or as dict")
        kinds.append(kind)
        found.append(None if kind is Job else Run if kind is Run else _reader(kind))
    return found


def target_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that is called: of a partial, of an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function) and not inspect.isclass(function):
        return type(function).__call__
    return function


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(target_of(function), include_extras=True)
    except NameError as error:
        raise ValueError(f"the types of {function!r} cannot be read: {error}") from None


def _reader(kind: Any) -> Reader:
    """What reads the params as a type. ValueError when nothing can."""
    if kind is object:
        kind = Any
    if kind is bytes:
        return lambda job: job.params
    if kind is str:
        return lambda job: job.text
    name = kind.__name__ if isinstance(kind, type) else str(kind)
    decode = _decoder(kind, name)

    def read(job: Job) -> object:
        try:
            return decode(job.params)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InvalidParams(f"the params do not fit {name}: {error}") from None

    return read


def _decoder(kind: Any, name: str) -> Callable[[bytes], object]:
    if _is_pydantic(kind):
        return _by_pydantic(kind)
    try:
        foreign = _foreign(msgspec.inspect.type_info(kind))
    except TypeError as error:
        raise ValueError(f"params cannot be read as {name}: {error}") from None
    if any(_is_pydantic(one) for one in foreign):
        return _by_pydantic(kind)
    others = [one for one in foreign if not inspect.isclass(one) or "__dataclass_fields__" not in vars(one)]
    if others:
        raise ValueError(f"params cannot be read as {name}: give a dataclass, a msgspec or pydantic type, or what JSON "
                         f"has, not {others[0]!r}")
    return msgspec.json.Decoder(kind).decode


def _is_pydantic(kind: Any) -> bool:
    return isinstance(kind, type) and any(hasattr(kind, name) for name in PYDANTIC)


def _by_pydantic(kind: Any) -> Callable[[bytes], object]:
    from pydantic import TypeAdapter  # only for those who use it

    adapter: TypeAdapter[object] = TypeAdapter(kind)
    return lambda params: adapter.validate_json(params)


def _foreign(info: object) -> list[Any]:
    """The types inside of a type that may be no affair of msgspec: custom classes, and dataclasses."""
    found: list[Any] = []
    seen: set[int] = set()
    waiting: list[object] = [info]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, msgspec.inspect.CustomType | msgspec.inspect.DataclassType):
            found.append(one.cls)
        if isinstance(one, tuple):
            waiting.extend(one)
        elif isinstance(one, msgspec.inspect.Type | msgspec.inspect.Field):
            waiting.extend(getattr(one, name) for name in one.__struct_fields__)
    return found
