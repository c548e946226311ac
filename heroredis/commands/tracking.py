"""CLIENT TRACKING and its kin: invalidation of what clients have cached."""

from __future__ import annotations

from heroredis.args import integer
from heroredis.command import command
from heroredis.errors import RedisError, syntax
from heroredis.reply import OK, Map, Reply, SetOf
from heroredis.session.client import Tracked
from heroredis.session.context import Context


@command("CLIENT TRACKING", "Be told when keys that were read are written.", group="connection", since="6.0.0",
         flags="noscript loading stale", complexity="O(1)")
def client_tracking(ctx: Context, status: bytes, *options: bytes) -> Reply:
    wanted = Tracked()
    prefixes = _read(ctx, wanted, list(options))
    word = status.upper()
    if word == b"OFF":
        ctx.server.tracking.disable(ctx.client)
        return OK
    if word != b"ON":
        raise syntax()
    if prefixes and not wanted.bcast:
        raise RedisError(b"ERR PREFIX option requires BCAST mode to be enabled")
    before = ctx.client.tracked
    if before is not None and before.bcast != wanted.bcast:
        raise RedisError(b"ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then "
                         b"re-enabling it with a different mode.")
    if wanted.bcast and (wanted.optin or wanted.optout):
        raise RedisError(b"ERR OPTIN and OPTOUT are not compatible with BCAST")
    if wanted.optin and wanted.optout:
        raise RedisError(b"ERR You can't specify both OPTIN mode and OPTOUT mode")
    if before is not None and ((wanted.optin and before.optout) or (wanted.optout and before.optin)):
        raise RedisError(b"ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then "
                         b"re-enabling it with a different mode.")
    _check_prefixes(prefixes, {} if before is None else before.prefixes)
    if wanted.bcast:
        wanted.prefixes.update(dict.fromkeys(prefixes or [b""]))
    ctx.server.tracking.enable(ctx.client, wanted)
    return OK


def _read(ctx: Context, wanted: Tracked, options: list[bytes]) -> list[bytes]:
    """Set what the options say; the prefixes."""
    prefixes = []
    while options:
        word = options.pop(0).upper()
        if word == b"REDIRECT" and options:
            if wanted.redirect:
                raise RedisError(b"ERR A client can only redirect to a single other client")
            number = integer(options.pop(0))
            if number not in ctx.server.clients:
                raise RedisError(b"ERR The client ID you want redirect to does not exist")
            wanted.redirect = number
        elif word == b"BCAST":
            wanted.bcast = True
        elif word == b"OPTIN":
            wanted.optin = True
        elif word == b"OPTOUT":
            wanted.optout = True
        elif word == b"NOLOOP":
            wanted.noloop = True
        elif word == b"PREFIX" and options:
            prefixes.append(options.pop(0))
        else:
            raise syntax()
    return prefixes


def _check_prefixes(prefixes: list[bytes], held: dict[bytes, None]) -> None:
    """No prefix of one client may begin with another."""
    for at, prefix in enumerate(prefixes):
        for other in held:
            if other.startswith(prefix) or prefix.startswith(other):
                raise RedisError(b"ERR Prefix '%b' overlaps with an existing prefix '%b'. Prefixes for a single client "
                                 b"must not overlap." % (prefix, other))
        for other in prefixes[at + 1 :]:
            if other.startswith(prefix) or prefix.startswith(other):
                raise RedisError(b"ERR Prefix '%b' overlaps with another provided prefix '%b'. Prefixes for a single "
                                 b"client must not overlap." % (prefix, other))


@command("CLIENT CACHING", "Whether the keys of the next command are tracked.", group="connection", since="6.0.0",
         flags="noscript loading stale")
def client_caching(ctx: Context, mode: bytes) -> Reply:
    tracked = ctx.client.tracked
    if tracked is None:
        raise RedisError(b"ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
                         b"OPTOUT mode enabled")
    word = mode.upper()
    if word == b"YES":
        if not tracked.optin:
            raise RedisError(b"ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
    elif word == b"NO":
        if not tracked.optout:
            raise RedisError(b"ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
    else:
        raise syntax()
    tracked.caching = True
    return OK


@command("CLIENT GETREDIR", "Which client is told instead: 0 = none, -1 = tracking is off.", group="connection",
         since="6.0.0", flags="noscript loading stale")
def client_getredir(ctx: Context) -> Reply:
    tracked = ctx.client.tracked
    return -1 if tracked is None else tracked.redirect


@command("CLIENT TRACKINGINFO", "How this connection tracks keys.", group="connection", since="6.2.0",
         flags="noscript loading stale")
def client_trackinginfo(ctx: Context) -> Reply:
    tracked = ctx.client.tracked
    if tracked is None:
        return Map([(b"flags", SetOf([b"off"])), (b"redirect", -1), (b"prefixes", [])])
    flags: list[object] = [b"on"]
    for name, present in ((b"bcast", tracked.bcast), (b"optin", tracked.optin),
                          (b"caching-yes", tracked.optin and tracked.caching), (b"optout", tracked.optout),
                          (b"caching-no", tracked.optout and tracked.caching), (b"noloop", tracked.noloop),
                          (b"broken_redirect", tracked.broken)):
        if present:
            flags.append(name)
    return Map([(b"flags", SetOf(flags)), (b"redirect", tracked.redirect), (b"prefixes", sorted(tracked.prefixes))])
