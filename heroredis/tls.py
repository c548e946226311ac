"""The TLS context of the Redis listener, made from the tls-* parameters."""

from __future__ import annotations

import ssl
from typing import Final

from heroredis.parameters import Parameters

FILES: Final = ("tls-cert-file tls-key-file tls-key-file-pass tls-ca-cert-file tls-ca-cert-dir tls-dh-params-file "
                "tls-protocols tls-ciphers tls-auth-clients tls-prefer-server-ciphers tls-session-caching")
"""The parameters that a context is made from."""
VERSIONS: Final = {"tlsv1": ssl.TLSVersion.TLSv1, "tlsv1.1": ssl.TLSVersion.TLSv1_1, "tlsv1.2": ssl.TLSVersion.TLSv1_2,
                   "tlsv1.3": ssl.TLSVersion.TLSv1_3}
CLIENTS: Final = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "yes": ssl.CERT_REQUIRED}


class TlsError(Exception):
    """TLS cannot be set up; the text names the parameter and the file."""


def context_of(parameters: Parameters) -> ssl.SSLContext:
    """A context for new connections. TlsError; no secret is in its text."""

    def text(name: str) -> str:
        return parameters.get(name).decode("utf-8", "surrogateescape")

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = text("tls-cert-file"), text("tls-key-file")
    if not certificate or not key:
        raise TlsError("tls-cert-file and tls-key-file have to be given")
    try:
        made.load_cert_chain(certificate, key, text("tls-key-file-pass") or None)
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"tls-cert-file '{certificate}' with tls-key-file '{key}': {_reason(error)}") from None
    _set_authorities(made, text("tls-ca-cert-file"), text("tls-ca-cert-dir"), text("tls-auth-clients"))
    _set_versions(made, text("tls-protocols"))
    try:
        if text("tls-ciphers"):
            made.set_ciphers(text("tls-ciphers"))
        if text("tls-dh-params-file"):
            made.load_dh_params(text("tls-dh-params-file"))
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"tls-ciphers or tls-dh-params-file: {_reason(error)}") from None
    if parameters.is_on("tls-prefer-server-ciphers"):
        made.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    if not parameters.is_on("tls-session-caching"):
        made.options |= ssl.OP_NO_TICKET
    return made


def _set_authorities(made: ssl.SSLContext, file: str, folder: str, clients: str) -> None:
    if clients != "no" and not file and not folder:
        raise TlsError("clients are to show certificates: give tls-ca-cert-file or tls-ca-cert-dir, or write "
                       "'tls-auth-clients no'")
    try:
        if file or folder:
            made.load_verify_locations(file or None, folder or None)
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"tls-ca-cert-file '{file}' or tls-ca-cert-dir '{folder}': {_reason(error)}") from None
    made.verify_mode = CLIENTS[clients]


def _set_versions(made: ssl.SSLContext, protocols: str) -> None:
    """The lowest and the highest that are named; none = TLS 1.2 and later."""
    names = protocols.lower().split()
    if not all(name in VERSIONS for name in names):
        raise TlsError(f"tls-protocols '{protocols}': give some of TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3")
    chosen = sorted(VERSIONS[name] for name in names)
    made.minimum_version = chosen[0] if chosen else ssl.TLSVersion.TLSv1_2
    if chosen:
        made.maximum_version = chosen[-1]


def _reason(error: OSError) -> str:
    return str(error.strerror or error) if not isinstance(error, ssl.SSLError) else str(error.reason or error)
