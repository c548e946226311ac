"""Publish and subscribe."""

from __future__ import annotations

from heroredis.command import command
from heroredis.errors import RedisError
from heroredis.glob import matches
from heroredis.registry import SUBSCRIBED
from heroredis.reply import Push, Reply, Several
from heroredis.session.context import Context


def _settle(ctx: Context, kind: bytes, name: bytes | None) -> Push:
    """The confirmation of one change, and the gate that follows from it."""
    client = ctx.client
    count = len(client.channels) + len(client.patterns)
    if count:
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


@command("PUBLISH", "Send a message to all who listen to a channel.", group="pubsub", since="2.0.0",
         flags="pubsub loading stale fast", complexity="O(N+M) in listeners and patterns")
def publish(ctx: Context, channel: bytes, message: bytes) -> Reply:
    return ctx.server.channels.publish(channel, message)


@command("PUBSUB CHANNELS", "Channels that somebody listens to.", group="pubsub", since="2.8.0",
         flags="pubsub loading stale", complexity="O(N) in channels")
def pubsub_channels(ctx: Context, *pattern: bytes) -> Reply:
    if len(pattern) > 1:
        raise RedisError(b"ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.")
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
