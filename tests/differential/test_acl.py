"""ACL: the same rules on both servers make the same users, with the same verdicts on the same requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.differential.compare import Pair
from tests.differential.harness import Failure, Status, Tagged, Wire, same

CATEGORIES: Final = ("keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "pubsub", "admin",
                     "fast", "slow", "blocking", "dangerous", "connection", "transaction", "all", "nope")
COMMANDS: Final = ("get", "SET", "del", "mget", "config", "config|get", "config|set", "client|id", "select", "publish",
                   "subscribe", "nope", "config|nope", "blmove", "ping", "auth")
PATTERNS: Final = ("*", "a", "a*", "b?", "[ab]*", "", "a b", "x")
PASSWORDS: Final = ("p", "q", "", "a b")

rules: Final = st.one_of(
    st.sampled_from(["on", "OFF", "nopass", "resetpass", "allkeys", "resetkeys", "allchannels", "ResetChannels",
                     "allcommands", "NoCommands", "reset", "clearselectors", "sanitize-payload",
                     "skip-sanitize-payload", "", "nope", "()", "(", ")", "+", "-", "+@", "#abc", "!abc",
                     "+select|0", "+select|1", "+get|x|y", "+config|", "-select|0", "%RW"]),
    st.builds("{}@{}".format, st.sampled_from("+-"), st.sampled_from(CATEGORIES)),
    st.builds("{}{}".format, st.sampled_from("+-"), st.sampled_from(COMMANDS)),
    st.builds("{}{}".format, st.sampled_from(["~", "%R~", "%w~", "%RW~", "%WR~", "%X~", "%~", "&"]),
              st.sampled_from(PATTERNS)),
    st.builds("{}{}".format, st.sampled_from("><"), st.sampled_from(PASSWORDS)),
)
"""Rules, right and wrong."""
selectors: Final = st.builds(lambda parts: "(" + " ".join(parts) + ")", st.lists(rules, max_size=4))
REQUESTS: Final = tuple(tuple(line.split(" ")) for line in (
    "GET a", "GET b", "SET a 1", "SET ab 1 GET", "MGET a bc x", "DEL ab", "CONFIG GET x", "CONFIG SET x y", "CLIENT ID",
    "SELECT 0", "SELECT 2", "PUBLISH a m", "SUBSCRIBE a bx", "PSUBSCRIBE a*", "PSUBSCRIBE a", "BLMOVE a b LEFT LEFT 0",
    "COPY a b", "COPY b a", "RENAME a b", "EXISTS a x", "STRLEN b", "HSET a f v", "LPUSH b x", "LPOP b", "WATCH x",
    "PING", "MULTI", "EXEC", "OBJECT ENCODING a", "LMPOP 2 a b LEFT", "TYPE x", "QUIT", "AUTH x", "RESET", "NOPE x",
    "CONFIG NOPE", "CONFIG", "GET", "SWAPDB 0 1", "KEYS *", "BITOP AND x a b", "BITFIELD a GET u8 0",
    "BITFIELD a SET u8 0 1", "MSET a 1 b 2", "UNSUBSCRIBE x", "INFO", "FLUSHALL", "BITCOUNT x", "LCS a b",
))


@pytest.fixture
def pair(both: tuple[str, str]) -> Iterator[Pair]:
    made = Pair(*both, 2)
    for wire in (made.real, made.ours):
        for name in ("u", "v"):
            wire.call("ACL", "DELUSER", name)
        wire.call("ACL", "LOG", "RESET")
    yield made
    for wire in (made.real, made.ours):
        wire.call("ACL", "DELUSER", "u", "v")
    made.close()


def told_rules(text: object, known: list[bytes]) -> object:
    """Rules for commands. Single ones stand in Redis in the order of a hash table that changes from run to run."""
    assert isinstance(text, bytes), text
    return sorted(rule for rule in text.split(b" ") if rule[1:] not in known)


def described(reply: object, ours_alone: list[bytes]) -> object:
    """GETUSER in comparable form: commands that only we have are left out, single rules are sorted."""
    assert isinstance(reply, list), reply
    facts = dict(zip(reply[::2], reply[1::2], strict=True))
    facts[b"commands"] = told_rules(facts[b"commands"], ours_alone)
    inner = facts.pop(b"selectors")
    assert isinstance(inner, list), inner
    selectors = []
    for one in inner:
        assert isinstance(one, list), one
        selector = dict(zip(one[::2], one[1::2], strict=True))
        selector[b"commands"] = told_rules(selector[b"commands"], ours_alone)
        selectors.append(selector)
    return facts, selectors


OURS_ALONE: Final = [b"client|setinfo", b"client|no-touch"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.lists(st.one_of(rules, rules, selectors), min_size=1, max_size=5), min_size=1, max_size=6))
def test_the_same_rules_make_the_same_user(pair: Pair, calls: list[list[str]]) -> None:
    for wire in (pair.real, pair.ours):
        wire.call("ACL", "DELUSER", "u")
    for call in calls:
        pair.step((b"ACL", b"SETUSER", b"u", *(rule.encode() for rule in call)))
        users = [wire.call("ACL", "GETUSER", "u") for wire in (pair.real, pair.ours)]
        if users[0] is None or users[1] is None:
            assert users[0] is users[1]
            continue
        assert same(described(users[0], OURS_ALONE), described(users[1], OURS_ALONE)), (users, calls)
    if users[0] is not None:
        for request in REQUESTS:
            pair.step((b"ACL", b"DRYRUN", b"u", *(word.encode() for word in request)))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.one_of(rules, selectors), min_size=1, max_size=8))
def test_what_list_says_makes_the_same_user_again(pair: Pair, calls: list[str]) -> None:
    assume("RW~*" not in "".join(calls).upper().replace("WR", "RW"))  # told as ~*, which is read as allkeys
    wire = pair.ours
    wire.call("ACL", "DELUSER", "u", "v")
    wire.call("ACL", "SETUSER", "u")
    for rule in calls:
        wire.call("ACL", "SETUSER", "u", rule)
    lines = wire.call("ACL", "LIST")
    assert isinstance(lines, list)
    [line] = [line for line in lines if isinstance(line, bytes) and line.startswith(b"user u ")]
    assert wire.call("ACL", "SETUSER", "v", *line.split(b" ")[2:]) == b"OK", line
    again = wire.call("ACL", "LIST")
    assert isinstance(again, list)
    [other] = [other for other in again if isinstance(other, bytes) and other.startswith(b"user v ")]
    assert other == line.replace(b"user u", b"user v", 1)
    for request in REQUESTS:
        assert wire.call("ACL", "DRYRUN", "u", *request) == wire.call("ACL", "DRYRUN", "v", *request)


STABLE: Final = ["", "+get", "+@all -get", "+config|get", "+@all -config", "+@all -config|set +config|set", "+@string",
                 "+@all -@dangerous +keys", "+@connection -auth", "~a %R~b %W~c &ch (+get ~x) (%RW~y allchannels)",
                 "on >pw >pw2 ~* &* +@all", "+select|1 +select|2", "nopass on", "reset", "skip-sanitize-payload"]


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("line", STABLE)
def test_getuser_is_told_alike(both: tuple[str, str], pair: Pair, line: str, resp: int) -> None:
    """Also the rules for commands, where the best category does not depend on the commands that are missing here."""
    pair.step((b"ACL", b"SETUSER", b"u", *(rule.encode() for rule in line.split(" "))))
    replies = []
    for path in both:
        with Wire(path, resp) as wire:
            replies.append((wire.call("ACL", "GETUSER", "u"), wire.call("ACL", "LIST")))
    users = [reply[0] for reply in replies]
    if resp == 2:
        assert same(*(described(user, OURS_ALONE) for user in users))
    if "@" not in line:  # what only we have would be told beside a category
        assert same(*users)
        assert same(replies[0][1], replies[1][1])


def test_categories(pair: Pair) -> None:
    real, ours = pair.real.call("ACL", "CAT"), pair.ours.call("ACL", "CAT")
    assert real == ours
    known = set()
    commands = pair.ours.call("COMMAND")
    assert isinstance(commands, list)
    for row in commands:
        known |= {row[0], *(child[0] for child in row[9])}
    for name in real if isinstance(real, list) else []:
        members = [wire.call("ACL", "CAT", name) for wire in (pair.real, pair.ours)]
        assert isinstance(members[0], list)
        assert isinstance(members[1], list)
        mine = {member for member in members[1] if b"|help" not in member}
        assert {member for member in members[0] if member in known and b"|help" not in member} == mine - {
            b"client|setinfo", b"client|no-touch"}, name


@pytest.mark.parametrize("line", [
    "ACL", "ACL NOPE", "ACL SETUSER", "ACL GETUSER", "ACL GETUSER nope", "ACL DELUSER", "ACL DELUSER default",
    "ACL DELUSER nope default", "ACL DELUSER nope nope2", "ACL LIST x", "ACL USERS", "ACL USERS x", "ACL WHOAMI",
    "ACL WHOAMI x", "ACL CAT nope", "ACL CAT a b", "ACL GENPASS 0", "ACL GENPASS 4097", "ACL GENPASS x",
    "ACL GENPASS 1 2", "ACL LOG x", "ACL LOG -1", "ACL LOG 1 2", "ACL LOG RESET", "ACL LOG reset", "ACL LOG",
    "ACL LOAD", "ACL SAVE", "ACL LOAD x", "ACL DRYRUN nope get a", "ACL DRYRUN default", "ACL DRYRUN default nope",
    "ACL DRYRUN default get", "ACL DRYRUN default get a b", "ACL DRYRUN default config get", "ACL DRYRUN default ping",
    "ACL SETUSER v ( x", "ACL SETUSER v a ( x )", "ACL SETUSER v (~a +get", "ACL SETUSER v ( ~a +get )",
    "AUTH nope x", "AUTH default x", "AUTH x",
])
@pytest.mark.parametrize("resp", [2, 3])
def test_requests(both: tuple[str, str], line: str, resp: int) -> None:
    pair = Pair(*both, resp)
    for wire in (pair.real, pair.ours):
        wire.call("ACL", "DELUSER", "v", "u")
        wire.call("ACL", "LOG", "RESET")
    pair.step(tuple(word.encode() for word in line.split(" ")))
    pair.close()


def test_generated_passwords(pair: Pair) -> None:
    for bits in ((), ("1",), ("5",), ("4096",)):
        sizes = []
        for wire in (pair.real, pair.ours):
            reply = wire.call("ACL", "GENPASS", *bits)
            assert isinstance(reply, bytes)
            sizes.append(len(reply))
            assert set(reply) <= set(b"0123456789abcdef")
        assert sizes[0] == sizes[1]


Session = list[object]


def played(path: str, setup: list[str], lines: list[str], resp: int = 2) -> Session:
    """What a connection of user u is told."""
    with Wire(path) as admin, Wire(path, resp) as wire:
        admin.call("ACL", "DELUSER", "u")
        for line in setup:
            assert admin.call(*line.split(" ")) == Status(b"OK"), line
        told: Session = [wire.call("AUTH", "u", "pw")]
        for line in lines:
            if line.startswith("admin "):
                told.append(admin.call(*line.split(" ")[1:]))
            else:
                told.append(wire.call(*line.split(" ")))
        admin.call("ACL", "DELUSER", "u")
        return told


@pytest.mark.parametrize("resp", [2, 3])
def test_what_a_user_may_do_in_a_session(both: tuple[str, str], resp: int) -> None:
    setup = ["ACL SETUSER u on >pw ~a* %R~r* &x* +get +set +mget +publish +subscribe +psubscribe +multi +exec "
             "+client|id +@transaction +del"]
    lines = ["GET a", "GET b", "GET r", "SET r 1", "SET a 1", "SET a 1 GET", "MGET a1 r2 b", "PUBLISH x m",
             "PUBLISH y m", "CLIENT GETNAME", "ACL WHOAMI", "CONFIG GET x", "MULTI", "GET a", "SET b 1", "EXEC",
             "MULTI", "GET a", "admin ACL SETUSER u -get", "EXEC", "MULTI", "SET a 2",
             "admin ACL SETUSER u resetkeys", "EXEC", "admin ACL SETUSER u allkeys", "SET b 7", "MULTI",
             "PUBLISH x m", "admin ACL SETUSER u resetchannels", "DISCARD", "RESET", "PING", "AUTH u wrong",
             "AUTH u pw", "HELLO 2 AUTH u no", "HELLO 3 AUTH default x",
             "admin ACL SETUSER u +@all allkeys allchannels", "ACL WHOAMI", "admin ACL SETUSER u off", "ACL WHOAMI",
             "AUTH u pw", "PING"]
    real, ours = (without_ids(played(path, setup, lines, resp)) for path in both)
    for line, one, two in zip(["AUTH u pw", *lines], real, ours, strict=True):
        assert same(one, two), (line, one, two)


def without_ids(told: Session) -> Session:
    """HELLO tells the version and the connection's number."""
    return [reply if not isinstance(reply, Tagged) or reply.marker != "%" else "HELLO" for reply in told]


def test_the_log(both: tuple[str, str]) -> None:
    setup = ["ACL LOG RESET", "ACL SETUSER u on >pw ~a* +get +mget +multi +exec resetchannels +publish"]
    lines = ["GET b", "GET b", "SET a 1", "PUBLISH c m", "MULTI", "GET b", "EXEC", "AUTH u wrong", "AUTH u pw", "GET b"]
    told = []
    for path in both:
        played(path, setup, lines)
        with Wire(path) as wire:
            entries = wire.call("ACL", "LOG")
            assert isinstance(entries, list)
            assert wire.call("ACL", "LOG", "1") != []
            told.append([dict(zip(entry[::2], entry[1::2], strict=True)) for entry in entries
                         if isinstance(entry, list)])
    for entries in told:
        for entry in entries:
            assert isinstance(entry.pop(b"age-seconds"), bytes)
            info = entry.pop(b"client-info")
            assert isinstance(info, bytes)
            assert b" user=" in info
    assert told[0] == told[1]


def test_connections_end_with_their_user(both: tuple[str, str]) -> None:
    for path in both:
        with Wire(path) as admin, Wire(path) as wire, Wire(path) as listener, Wire(path) as other:
            admin.call("ACL", "SETUSER", "u", "on", ">pw", "allchannels", "+@all")
            assert wire.call("AUTH", "u", "pw") == Status(b"OK")
            assert listener.call("AUTH", "u", "pw") == Status(b"OK")
            listener.call("SUBSCRIBE", "a")
            other.call("AUTH", "u", "pw")
            other.call("PSUBSCRIBE", "b*")
            admin.call("ACL", "SETUSER", "u", "resetchannels", "&a", "&b*")
            assert admin.call("PUBLISH", "a", "m") == 1
            assert listener.read() == [b"message", b"a", b"m"]
            admin.call("ACL", "SETUSER", "u", "resetchannels", "&b*")
            assert listener.at_end()
            assert wire.call("PING") == Status(b"PONG")
            assert admin.call("ACL", "DELUSER", "u") == 1
            assert wire.at_end()
            assert other.at_end()


def test_connections_of_a_user_are_killed(both: tuple[str, str]) -> None:
    told = []
    for path in both:
        with Wire(path) as admin, Wire(path) as wire, Wire(path) as other:
            admin.call("ACL", "SETUSER", "u", "on", ">pw", "+@all")
            wire.call("AUTH", "u", "pw")
            replies = [admin.call("CLIENT", "KILL", "USER", "nope"), admin.call("CLIENT", "KILL", "USER", "u"),
                       other.call("PING"), wire.at_end(), admin.call("ACL", "DELUSER", "u")]
            told.append(replies)
    assert told[0] == told[1]


def test_a_user_that_removes_itself_is_answered_first(both: tuple[str, str]) -> None:
    for path in both:
        with Wire(path) as admin, Wire(path) as wire:
            admin.call("ACL", "SETUSER", "u", "on", ">pw", "+@all")
            wire.call("AUTH", "u", "pw")
            assert wire.call("ACL", "DELUSER", "u") == 1
            assert wire.at_end()


def test_requirepass_is_the_default_users_password(both: tuple[str, str]) -> None:
    told = []
    for path in both:
        with Wire(path) as admin:
            steps: list[object] = [admin.call("CONFIG", "SET", "requirepass", "secret")]
            with Wire(path) as wire:
                steps += [wire.call("PING"), wire.call("AUTH", "wrong"), wire.call("AUTH", "secret"), wire.call("PING")]
            with Wire(path) as wire:
                steps += [admin.call("ACL", "GETUSER", "default"), wire.call("PING"),
                          admin.call("CONFIG", "SET", "requirepass", ""), wire.call("PING"), wire.call("AUTH", "x")]
            steps += [admin.call("ACL", "SETUSER", "default", ">other", "off")]
            with Wire(path) as wire:
                steps += [wire.call("PING"), wire.call("AUTH", "other"), admin.call("PING")]
            steps += [admin.call("ACL", "SETUSER", "default", "on", "nopass"), admin.call("ACL", "LIST")]
            told.append(steps)
    assert len(told[0]) == len(told[1])
    assert same(told[0], told[1]), [pair for pair in zip(*told, strict=True) if not same(*pair)]
    assert isinstance(told[0][1], Failure)


def test_new_users_follow_the_channel_default(pair: Pair) -> None:
    for value in (b"allchannels", b"resetchannels"):
        pair.step((b"CONFIG", b"SET", b"acl-pubsub-default", value))
        pair.step((b"ACL", b"SETUSER", b"v", b"reset", b"()"))
        pair.step((b"ACL", b"GETUSER", b"v"))
        pair.step((b"ACL", b"DELUSER", b"v"))
        pair.step((b"ACL", b"SETUSER", b"v"))
        pair.step((b"ACL", b"LIST",))
        pair.step((b"ACL", b"DELUSER", b"v"))


@pytest.mark.parametrize("permission", ["%R~*", "%W~*", "resetkeys"])
def test_what_every_command_does_to_its_keys(pair: Pair, permission: str) -> None:
    """Each command that both have, with ones for arguments: ones are keys, counts of keys and numbers alike."""
    for wire in (pair.real, pair.ours):
        wire.call("ACL", "SETUSER", "u", "reset", "+@all", "allchannels", permission)
    rows = pair.ours.call("COMMAND")
    assert isinstance(rows, list)
    leaves = [child for row in rows for child in ([row] if not row[9] or row[0] == b"command" else row[9])]
    known = pair.real.call("COMMAND", "LIST")
    assert isinstance(known, list)
    compared = 0
    for row in leaves:
        name, arity = row[0], row[1]
        if name.partition(b"|")[0] not in known or name in (b"client|setinfo", b"client|no-touch"):
            continue
        words = name.split(b"|")
        for more in range(4 if arity < 0 else 1):
            request = [*words, *[b"1"] * (abs(arity) - len(words) + more)]
            pair.step((b"ACL", b"DRYRUN", b"u", *request))
            compared += 1
    assert compared > 300


@pytest.mark.parametrize("line", [
    "SET a 1 GET", "SET a 1 EX 5 get", "SET a GET", "BITFIELD a GET u8 0", "BITFIELD a GET u8 0 SET u8 0 1",
    "BITFIELD a GET u8", "BITFIELD a GET u8 0 OVERFLOW WRAP get u4 1",
    "BITFIELD a INCRBY u8 0 1", "BITFIELD a OVERFLOW SAT", "BITFIELD a", "ZUNIONSTORE d 2 a b", "ZINTER 2 a b",
    "LMPOP 0 a LEFT", "LMPOP x a LEFT", "LMPOP 5 a LEFT", "ZMPOP 2 a b MIN", "BZMPOP 0 2 a b MIN", "SINTERCARD 2 a b",
    "COPY a b REPLACE",
    "MIGRATE h 1 a 0 5", "MIGRATE h 1 a 0 5 KEYS b c", 'MIGRATE h 1 "" 0 5 KEYS b c', "SORT a", "SORT a STORE b",
    "SORT a BY x* GET y* STORE b", "SORT_RO a BY x*", "GEORADIUS a 1 1 1 m STORE b", "GEORADIUS a 1 1 1 m STOREDIST b",
    "XREAD STREAMS a b 0 0", "XREADGROUP GROUP g c STREAMS a b > >", "EVAL x 2 a b", "EVAL x 0 a", "EVAL_RO x 1 a",
    "OBJECT FREQ a", "MEMORY USAGE a", "XGROUP CREATE a g 0", "OBJECT HELP", "DEBUG OBJECT a", "PFDEBUG GETREG a",
])
def test_requests_whose_keys_stand_in_odd_places(pair: Pair, line: str) -> None:
    words = [b"" if word == '""' else word.encode() for word in line.split(" ")]
    if pair.ours.call("COMMAND", "INFO", words[0]) == [None]:
        return  # a command that we do not have
    for permission in ("%R~*", "%W~*", "%R~a %W~b", "%W~a %R~b", "~a", "~b ~d"):
        for wire in (pair.real, pair.ours):
            wire.call("ACL", "SETUSER", "u", "reset", "+@all", *permission.split(" "))
        pair.step((b"ACL", b"DRYRUN", b"u", *words))
