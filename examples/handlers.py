"""Handlers to begin with: `heroredis --handlers examples/handlers.py`.

The topic "email" writes each message to the outbox in the data folder, or sends it when SMTP_URL names a server
(smtp://host:port).
"""

from __future__ import annotations

import asyncio
import os
import smtplib
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from heroredis import Handlers, Job

handlers = Handlers()


class Email(msgspec.Struct, forbid_unknown_fields=True):
    """What a job of the topic "email" must hold."""

    to: str
    subject: str
    body: str = ""
    sender: str = "heroredis@localhost"


@handlers.on("email", retries=3, timeout=30)
async def send_email(mail: Email, job: Job) -> str:
    """Send one message; the result says where it went."""
    message = EmailMessage()
    message["From"] = mail.sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(f"job-{job.job_id}-{job.attempts}", "localhost")
    message.set_content(mail.body)
    server = os.environ.get("SMTP_URL")
    if server:
        await asyncio.to_thread(_send, server, message)
        return f"sent to {mail.to} by {urlsplit(server).hostname}"
    return str(await asyncio.to_thread(_keep, message, job.job_id))


def _send(server: str, message: EmailMessage) -> None:
    address = urlsplit(server)
    with smtplib.SMTP(address.hostname or "localhost", address.port or 25, timeout=20) as connection:
        connection.send_message(message)


def _keep(message: EmailMessage, job_id: int) -> Path:
    outbox = Path(os.environ.get("HEROREDIS_DATA_DIR", "data")) / "outbox"
    outbox.mkdir(parents=True, exist_ok=True)
    path = outbox / f"job-{job_id}.eml"
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(bytes(message))
    temporary.replace(path)
    return path


@handlers.on("echo")
async def echo(job: Job) -> bytes:
    """Answer the params."""
    return job.params


@handlers.on("divide")
def divide(job: Job) -> object:
    """A handler that is no coroutine runs in a thread: {"a": 6, "b": 3} gives 2; b = 0 fails with its traceback."""
    numbers = job.json()
    if not isinstance(numbers, dict):
        raise TypeError('give {"a": number, "b": number}')
    return numbers["a"] / numbers["b"]
