"""Publish and subscribe."""

from __future__ import annotations

from heroredis.command import ALL, FIRST, command
from heroredis.errors import RedisError, wrong_subcommand
from heroredis.glob import matches
from heroredis.registry import SUBSCRIBED
from heroredis.reply import Push, Reply, Several
from heroredis.session.context import Context


def _settle(ctx: Context, kind: bytes, name: bytes | None) -> Push:
    """The confirmation of one change, and the gate that follows from it."""
    client = ctx.client
    count = len(client.channels) + len(client.patterns)
    if kind in (b"ssubscribe", b"sunsubscribe"):
        count = len(client.shards)
    if client.channels or client.patterns or client.shards:
        client.gates |= SUBSCRIBED
    else:
        client.gates &= ~SUBSCRIBED
    return Push([kind, name, count])


@command("SUBSCRIBE", "Listen to channels.", group="pubsub", since="2.0.0", flags="pubsub noscript loading stale",
         complexity="O(N) in channels")
def subscribe(ctx: Context, channel: bytes, *channels: bytes) -> Reply:
    replies: list[object] = []
    for name in (channel, *channels):
        ctx.server.channels.join(ctx.server.channels.exact, ctx.client.channels, ctx.client, name)
        replies.append(_settle(ctx, b"subscribe", name))
    return Several(replies)


@command("PSUBSCRIBE", "Listen to channels that match patterns.", group="pubsub", since="2.0.0",
         flags="pubsub noscript loading stale", complexity="O(N) in patterns")
def psubscribe(ctx: Context, pattern: bytes, *patterns: bytes) -> Reply:
    replies: list[object] = []
    for name in (pattern, *patterns):
        ctx.server.channels.join(ctx.server.channels.patterns, ctx.client.patterns, ctx.client, name)
        replies.append(_settle(ctx, b"psubscribe", name))
    return Several(replies)


@command("UNSUBSCRIBE", "Stop listening to channels, or to all.", group="pubsub", since="2.0.0",
         flags="pubsub noscript loading stale", complexity="O(N) in channels")
def unsubscribe(ctx: Context, *channels: bytes) -> Reply:
    replies: list[object] = []
    for name in channels or tuple(ctx.client.channels):
        ctx.server.channels.leave(ctx.server.channels.exact, ctx.client.channels, ctx.client, name)
        replies.append(_settle(ctx, b"unsubscribe", name))
    return Several(replies or [_settle(ctx, b"unsubscribe", None)])


@command("PUNSUBSCRIBE", "Stop listening to patterns, or to all.", group="pubsub", since="2.0.0",
         flags="pubsub noscript loading stale", complexity="O(N) in patterns")
def punsubscribe(ctx: Context, *patterns: bytes) -> Reply:
    replies: list[object] = []
    for name in patterns or tuple(ctx.client.patterns):
        ctx.server.channels.leave(ctx.server.channels.patterns, ctx.client.patterns, ctx.client, name)
        replies.append(_settle(ctx, b"punsubscribe", name))
    return Several(replies or [_settle(ctx, b"punsubscribe", None)])


@command("SSUBSCRIBE", "Listen to shard channels.", group="pubsub", since="7.0.0",
         flags="pubsub noscript loading stale", keys=ALL, complexity="O(N) in channels")
def ssubscribe(ctx: Context, shardchannel: bytes, *shardchannels: bytes) -> Reply:
    if ctx.in_exec:
        raise RedisError(b"ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
    replies: list[object] = []
    for name in (shardchannel, *shardchannels):
        ctx.server.channels.join(ctx.server.channels.shards, ctx.client.shards, ctx.client, name)
        replies.append(_settle(ctx, b"ssubscribe", name))
    return Several(replies)


@command("SUNSUBSCRIBE", "Stop listening to shard channels, or to all.", group="pubsub", since="7.0.0",
         flags="pubsub noscript loading stale", keys=ALL, complexity="O(N) in channels")
def sunsubscribe(ctx: Context, *shardchannels: bytes) -> Reply:
    replies: list[object] = []
    for name in shardchannels or tuple(ctx.client.shards):
        ctx.server.channels.leave(ctx.server.channels.shards, ctx.client.shards, ctx.client, name)
        replies.append(_settle(ctx, b"sunsubscribe", name))
    return Several(replies or [_settle(ctx, b"sunsubscribe", None)])


@command("SPUBLISH", "Send a message to all who listen to a shard channel.", group="pubsub", since="7.0.0",
         flags="pubsub loading stale fast", keys=FIRST, complexity="O(N) in listeners")
def spublish(ctx: Context, shardchannel: bytes, message: bytes) -> Reply:
    return ctx.server.channels.publish_shard(shardchannel, message)


@command("PUBLISH", "Send a message to all who listen to a channel.", group="pubsub", since="2.0.0",
         flags="pubsub loading stale fast", complexity="O(N+M) in listeners and patterns")
def publish(ctx: Context, channel: bytes, message: bytes) -> Reply:
    ctx.server.journal.tell(ctx.db.index, [b"publish", channel, message])
    return ctx.server.channels.publish(channel, message)


@command("PUBSUB CHANNELS", "Channels that somebody listens to.", group="pubsub", since="2.8.0",
         flags="pubsub loading stale", complexity="O(N) in channels")
def pubsub_channels(ctx: Context, *pattern: bytes) -> Reply:
    if len(pattern) > 1:
        raise wrong_subcommand(b"PUBSUB", ctx.as_sent(1, b"CHANNELS"))
    names = list(ctx.server.channels.exact)
    return [name for name in names if not pattern or matches(pattern[0], name, False)]


@command("PUBSUB NUMSUB", "How many listen to each channel.", group="pubsub", since="2.8.0",
         flags="pubsub loading stale", complexity="O(N) in channels")
def pubsub_numsub(ctx: Context, *channels: bytes) -> Reply:
    flat: list[object] = []
    for name in channels:
        flat += [name, len(ctx.server.channels.exact.get(name, ()))]
    return flat


@command("PUBSUB NUMPAT", "How many patterns are listened to.", group="pubsub", since="2.8.0",
         flags="pubsub loading stale")
def pubsub_numpat(ctx: Context) -> Reply:
    return len(ctx.server.channels.patterns)


@command("PUBSUB SHARDCHANNELS", "Shard channels that somebody listens to.", group="pubsub", since="7.0.0",
         flags="pubsub loading stale", complexity="O(N) in channels")
def pubsub_shardchannels(ctx: Context, *pattern: bytes) -> Reply:
    if len(pattern) > 1:
        raise wrong_subcommand(b"PUBSUB", ctx.as_sent(1, b"SHARDCHANNELS"))
    names = list(ctx.server.channels.shards)
    return [name for name in names if not pattern or matches(pattern[0], name, False)]


@command("PUBSUB SHARDNUMSUB", "How many listen to each shard channel.", group="pubsub", since="7.0.0",
         flags="pubsub loading stale", complexity="O(N) in channels")
def pubsub_shardnumsub(ctx: Context, *shardchannels: bytes) -> Reply:
    flat: list[object] = []
    for name in shardchannels:
        flat += [name, len(ctx.server.channels.shards.get(name, ()))]
    return flat
