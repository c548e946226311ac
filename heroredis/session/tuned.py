"""Parameters that the keyspace keeps as numbers of its own, because it asks for them at every write."""

from __future__ import annotations

from heroredis.keyspace import usage
from heroredis.keyspace.space import Space
from heroredis.parameters import Parameters

ENCODINGS = ("hash-max-listpack-entries hash-max-listpack-value set-max-intset-entries zset-max-listpack-entries "
             "zset-max-listpack-value list-max-listpack-size")


class Tuned:
    """Hands parameters on to the keyspace, now and whenever they change."""

    def __init__(self, space: Space, parameters: Parameters) -> None:
        self._space = space
        self._parameters = parameters
        parameters.when_changed(ENCODINGS, self.limit)
        parameters.when_changed("maxmemory-policy lfu-log-factor lfu-decay-time", self.follow_policy)
        self.limit()
        self.follow_policy()

    def limit(self) -> str:
        limits = self._space.limits
        number = self._parameters.integer
        limits.hash_entries = number("hash-max-listpack-entries")
        limits.hash_value = number("hash-max-listpack-value")
        limits.set_entries = min(number("set-max-intset-entries"), 1 << 30)
        limits.zset_entries = number("zset-max-listpack-entries")
        limits.zset_value = number("zset-max-listpack-value")
        limits.list_size = number("list-max-listpack-size")
        return ""

    def follow_policy(self) -> str:
        noted = self._space.usage
        policy = self._parameters.get("maxmemory-policy")
        noted.log_factor = self._parameters.integer("lfu-log-factor")
        noted.decay_minutes = self._parameters.integer("lfu-decay-time")
        mode = usage.LFU if policy.endswith(b"lfu") else usage.LRU if policy.endswith(b"lru") else usage.OFF
        if mode != noted.mode:
            self._space.note_uses(mode)
        return ""
