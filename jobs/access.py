"""Which queues a JOB command works on: the keys by which a user's permissions are checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.extension import Command, RedisError
from jobs.arguments import fetch_options
from jobs.query_parser import parse
from jobs.redis_queue import QUEUE_PREFIX
from jobs.search_commands import topics_named

EVERY_TOPIC: Final = QUEUE_PREFIX + b"*"
"""Stands for all topics: a user needs a pattern that permits this key."""


def queues_of(command: Command, argv: list[bytes], topic_of: Callable[[int], str | None],
              schedule_topic: Callable[[bytes], str | None]) -> list[bytes]:
    """The queue keys of the topics, or of the topic of the job, that a request names."""
    if command.name == "JOB.FETCH":
        try:
            return [QUEUE_PREFIX + topic.encode() for topic in fetch_options(argv[3:], "")[0]]
        except RedisError:
            return [EVERY_TOPIC]
    if command.name in ("JOB.LIST", "JOB.BULK"):
        try:
            topics = topics_named(argv, parse)
        except RedisError:
            topics = None
        return [EVERY_TOPIC] if topics is None else [QUEUE_PREFIX + topic for topic in topics]
    if command.name in ("JOB.STATS", "JOB.TOPICS", "JOB.WORKERS", "JOB.POOL", "JOB.EVENTS", "JOB.SCHEDULE LIST"):
        named = argv[1:2] if command.name == "JOB.STATS" else []
        return [QUEUE_PREFIX + topic for topic in named] or [EVERY_TOPIC]
    found = []
    for name, word in zip(command.arguments, argv[command.words :], strict=False):
        if name == "topic":
            found.append(QUEUE_PREFIX + word)
        elif name == "name":
            topic = schedule_topic(word)
            found += [] if topic is None else [QUEUE_PREFIX + topic.encode()]
        elif name == "job_id" and word.isdigit() and len(word) < 20:
            topic = topic_of(int(word))
            found += [] if topic is None else [QUEUE_PREFIX + topic.encode()]
    return found
