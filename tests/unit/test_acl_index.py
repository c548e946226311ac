"""Commands as bits: those that come later, those that only Redis has, and containers."""

from __future__ import annotations

from heroredis.acl.absent import ABSENT
from heroredis.acl.describe import commands_of
from heroredis.acl.index import CATEGORIES
from heroredis.acl.rules import Selector
from heroredis.command import command
from heroredis.server import Server
from heroredis.session.context import Context


@command("LATER.READ", "Comes when users exist already.", group="string", since="1.0.0", flags="readonly")
def later(ctx: Context) -> object:
    return None


def selector(server: Server, *rules: str) -> Selector:
    made = Selector(False)
    for rule in rules:
        made.apply(server.users.index, rule.encode())
    return made


def test_everything_includes_what_comes_later() -> None:
    server = Server()
    index = server.users.index
    everything, all_but, reading = (selector(server, *rules) for rules in (["+@all"], ["+@all", "-get"], ["+@read"]))
    server.registry.add(later)
    entry = server.registry.commands["LATER.READ"]
    assert everything.allowed & index.bit(entry)
    assert all_but.allowed & index.bit(entry)
    assert not reading.allowed & index.bit(entry)
    assert selector(server, "+@read").allowed & index.bit(entry)


def test_commands_that_only_redis_has_are_named_but_not_listed() -> None:
    server = Server()
    index = server.users.index
    missing = [name for name in ABSENT if name not in server.registry.commands]
    for name in missing:
        assert index.find(name.lower().replace(" ", "|").encode()) is not None, name
    listed = {member for category in CATEGORIES for member in index.members(category)}
    assert not listed & {name.lower().replace(" ", "|") for name in missing}
    assert all(set(categories) <= set(CATEGORIES) for categories in ABSENT.values())


def test_a_category_is_told_by_its_name() -> None:
    server = Server()
    for rules in (["+@all"], ["-@all"], ["+@geo"], ["+@all", "-@geo"], ["+@scripting"]):
        made = selector(server, *rules)
        told = commands_of(server.users.index, made).split(b" ")
        assert selector(server, *(rule.decode() for rule in told)).allowed == made.allowed
        assert told[-1] == rules[-1].encode()
