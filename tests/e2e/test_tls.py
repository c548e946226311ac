"""TLS: connections, client certificates, and certificates that change while the server runs."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from heroredis.testing import ServerProcess
from tests.conftest import need
from tests.differential.harness import TIMEOUT_S, Failure, Status, encode, until
from tests.e2e.conf_process import ConfProcess, connect, free_port, ours

REDIS_CLI: Final = "redis-cli"


def openssl(*arguments: str) -> None:
    need("openssl")
    subprocess.run([shutil.which("openssl") or "openssl", *arguments], check=True, capture_output=True, timeout=60)


def make_certificate(folder: Path, name: str, authority: str = "") -> None:
    """name.crt and name.key, signed by itself or by an authority made before."""
    key, certificate = str(folder / f"{name}.key"), str(folder / f"{name}.crt")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
           "-subj", f"/CN={name}"]
    if not authority:
        openssl("req", "-x509", *new, "-out", certificate, "-days", "2")
        return
    request = str(folder / f"{name}.csr")
    extensions = folder / f"{name}.ext"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("req", *new, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", str(folder / f"{authority}.crt"), "-CAkey",
            str(folder / f"{authority}.key"), "-CAcreateserial", "-out", certificate, "-days", "2",
            "-extfile", str(extensions))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for authority in ("ca", "otherca"):
        make_certificate(folder, authority)
    for name, authority in (("server", "ca"), ("second", "ca"), ("client", "ca"), ("stranger", "otherca")):
        make_certificate(folder, name, authority)
    return folder


class TlsClient:
    """One TLS connection that sends requests and reads whole replies."""

    def __init__(self, port: int, certificates: Path, identity: str = "") -> None:
        context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
        if identity:
            context.load_cert_chain(certificates / f"{identity}.crt", certificates / f"{identity}.key")
        plain = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        try:
            self.socket = context.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise
        self.file = self.socket.makefile("rb")

    def call(self, *arguments: str | bytes) -> bytes:
        """A status, an error or a bulk string."""
        self.socket.sendall(encode(*arguments))
        line = self.file.readline()
        if not line:
            raise EOFError("the connection ended")
        return self.file.read(int(line[1:]) + 2)[:-2] if line[:1] == b"$" else line.strip()

    def serves(self) -> str:
        """The name in the server's certificate."""
        facts = self.socket.getpeercert()
        assert facts is not None
        return str(dict(entry[0] for entry in facts["subject"] if isinstance(entry, tuple))["commonName"])  # type: ignore[misc]

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def __enter__(self) -> TlsClient:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()


def name_served(port: int, certificates: Path) -> str:
    with TlsClient(port, certificates) as client:
        return client.serves()


def started(folder: Path, certificates: Path, *more: str) -> tuple[ConfProcess, int, int]:
    """A server with a plain and a TLS port; its certificate files are copies that tests may replace."""
    for kind in ("crt", "key"):
        shutil.copy(certificates / f"server.{kind}", folder / f"own.{kind}")
    plain, port = free_port(), free_port()
    conf = folder / "redis.conf"
    conf.write_text(f"port {plain}\ntls-port {port}\ndir {folder}\ntls-cert-file {folder}/own.crt\n"
                    f"tls-key-file {folder}/own.key\ntls-ca-cert-file {certificates}/ca.crt\n" + "\n".join(more) + "\n")
    return ConfProcess(ours(str(conf)), folder), plain, port


def test_requests_of_all_sizes_over_tls(tmp_path: Path, certificates: Path) -> None:
    server, plain, port = started(tmp_path, certificates, "tls-auth-clients no")
    with server, TlsClient(port, certificates) as client, connect(plain) as other:
        assert client.call("PING") == b"+PONG"
        for size in (0, 1, 20_000, 3_000_000):
            assert client.call("SET", "k", b"x" * size) == b"+OK"
            assert client.call("GET", "k") == b"x" * size
        assert other.call("STRLEN", "k") == 3_000_000
        assert b"addr=127.0.0.1:" in client.call("CLIENT", "INFO")
        if b"--tls" in subprocess.run([REDIS_CLI, "--help"], capture_output=True, check=False).stdout:
            command = [REDIS_CLI, "--tls", "--cacert", str(certificates / "ca.crt"), "-p", str(port), "PING"]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
            assert done.stdout == "PONG\n"


def test_the_command_line_for_jobs_speaks_tls(tmp_path: Path, certificates: Path) -> None:
    with ServerProcess(tmp_path, ["--no-ui", "--no-webdav"], environment={
            "HEROREDIS_REDIS_TLS_PORT": str(port := free_port()), "HEROREDIS_REDIS_TLS_AUTH_CLIENTS": "no",
            "HEROREDIS_REDIS_TLS_CERT_FILE": str(certificates / "server.crt"),
            "HEROREDIS_REDIS_TLS_KEY_FILE": str(certificates / "server.key")}):
        command = [sys.executable, "-m", "heroredis", "job", "create", "t", "--url", f"rediss://localhost:{port}"]
        for known, status, said in ((certificates / "ca.crt", 0, "1\n"), (certificates / "client.crt", 4, "")):
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60,
                                  env={**os.environ, "SSL_CERT_FILE": str(known)}, cwd=Path(__file__).parents[2])
            assert (done.returncode, done.stdout) == (status, said), done.stderr


def test_clients_have_to_show_a_certificate_of_the_authority(tmp_path: Path, certificates: Path) -> None:
    server, plain, port = started(tmp_path, certificates)
    with server:
        with TlsClient(port, certificates, "client") as client:
            assert client.call("PING") == b"+PONG"
        for identity in ("", "stranger"):
            with pytest.raises((ssl.SSLError, EOFError, ConnectionError)), \
                    TlsClient(port, certificates, identity) as client:
                client.call("PING")
        with connect(plain) as admin:
            assert admin.call("CONFIG", "SET", "tls-auth-clients", "optional") == Status(b"OK")
            until(lambda: answers(port, certificates), "a client without a certificate is let in")
            with pytest.raises((ssl.SSLError, EOFError, ConnectionError)), \
                    TlsClient(port, certificates, "stranger") as client:
                client.call("PING")


def answers(port: int, certificates: Path) -> bool:
    try:
        with TlsClient(port, certificates) as client:
            return client.call("PING") == b"+PONG"
    except (ssl.SSLError, EOFError, ConnectionError):
        return False


def is_closed(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it was just being closed
        return False
    return False


def test_the_certificate_changes_and_connections_go_on(tmp_path: Path, certificates: Path) -> None:
    server, plain, port = started(tmp_path, certificates, "tls-auth-clients no")
    with server, TlsClient(port, certificates) as first, connect(plain) as admin:
        assert first.serves() == "server"
        for kind in ("crt", "key"):
            shutil.copy(certificates / f"second.{kind}", tmp_path / f"own.{kind}")
        server.hang_up()
        until(lambda: name_served(port, certificates) == "second", "SIGHUP reads the files again")
        assert admin.call("CONFIG", "SET", "tls-cert-file", str(certificates / "server.crt"), "tls-key-file",
                          str(certificates / "server.key")) == Status(b"OK")
        until(lambda: name_served(port, certificates) == "server", "CONFIG SET takes other files")
        refused = admin.call("CONFIG", "SET", "tls-cert-file", "/nope")
        assert refused == Failure(b"ERR CONFIG SET failed (possibly related to argument 'tls-cert-file') - Unable to "
                                  b"update TLS configuration. Check server logs.")
        assert name_served(port, certificates) == "server"
        (tmp_path / "own.crt").write_text("damaged")
        assert first.call("PING") == b"+PONG"


def test_the_tls_port_moves(tmp_path: Path, certificates: Path) -> None:
    server, plain, port = started(tmp_path, certificates, "tls-auth-clients no")
    with server, connect(plain) as admin:
        moved = free_port()
        assert admin.call("CONFIG", "SET", "tls-port", moved) == Status(b"OK")
        until(lambda: answers(moved, certificates), "the new port answers")
        until(lambda: is_closed(port), "the old port is closed")
        with connect(plain) as other:
            taken = free_port()
            with socket.socket() as holder:
                holder.bind(("127.0.0.1", taken))
                holder.listen()
                refused = other.call("CONFIG", "SET", "port", taken)
            assert isinstance(refused, Failure)
            assert b"Unable to listen on this port" in refused
            assert other.call("CONFIG", "GET", "port") == [b"port", str(plain).encode()]
        assert admin.call("CONFIG", "SET", "port", 0) == Status(b"OK")
        until(lambda: is_closed(plain), "the plain port is closed")
        assert admin.call("PING") == Status(b"PONG")
        assert answers(moved, certificates)


def test_a_plain_request_to_the_tls_port_is_not_answered(tmp_path: Path, certificates: Path) -> None:
    server, _, port = started(tmp_path, certificates, "tls-auth-clients no")
    with server:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain:
            plain.sendall(b"PING\r\n")
            assert b"PONG" not in plain.recv(1000)
        assert answers(port, certificates)
