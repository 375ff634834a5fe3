"""TLS to the servers: who is believed, who we say we are, and files that are no good."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import trustme

from pictor_gateway import InvalidSettings, Settings
from pictor_gateway.backends.tensorflow_serving.failures import CallFailed
from pictor_gateway.backends.tensorflow_serving.fleet import Fleet
from pictor_tfs.messages import PREDICT


class Secured:
    """A TLS server with a certificate for the name "tfs", and the files a gateway needs to reach it."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.folder = folder
        self.files = {
            "tfs_ca_file": folder / "ca.pem",
            "tfs_cert_file": folder / "cert.pem",
            "tfs_key_file": folder / "key.pem",
        }
        self.write(self.authority)

    def write(self, authority: trustme.CA) -> None:
        """Write what the gateway reads."""
        mine = authority.issue_cert("gateway")
        authority.cert_pem.write_to_path(str(self.files["tfs_ca_file"]))
        mine.private_key_pem.write_to_path(str(self.files["tfs_key_file"]))
        self.files["tfs_cert_file"].write_bytes(b"".join(blob.bytes() for blob in mine.cert_chain_pems))

    @asynccontextmanager
    async def serving(self, mutual: bool = False) -> AsyncIterator[int]:
        """Serve while the block runs; the value is the port."""

        async def answer(request: bytes, context: Any) -> bytes:
            return b"secret"

        handler = grpc.unary_unary_rpc_method_handler(answer)
        service = {"Predict": handler}
        server = grpc.aio.server()
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", service)]
        )
        leaf = self.authority.issue_cert("tfs")
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        credentials = grpc.ssl_server_credentials(
            [(leaf.private_key_pem.bytes(), chain)],
            self.authority.cert_pem.bytes() if mutual else None,
            mutual,
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        yield port
        await server.stop(None)


async def ask(port: int, name: str = "tfs", **settings: object) -> str:
    """Return what a gateway with these settings gets from the server."""

    async def resolve(host: str) -> list[IPv4Address]:
        return [IPv4Address("127.0.0.1")]

    wanted = {"tfs": f"{name}:{port}", "model": "m", "tfs_tls": True, **settings}
    fleet = Fleet(Settings.load(wanted, {}), resolve=resolve)
    await fleet.start()
    await fleet.resolved.wait()
    try:
        return (await fleet.servers[0].call(PREDICT, b"", 20)).decode()
    except CallFailed as failure:
        return failure.code.name
    finally:
        await fleet.close()


@pytest.fixture
def secured(tmp_path: Path) -> Secured:
    """Make an authority and the gateway's files."""
    return Secured(tmp_path)


def test_a_server_that_the_authority_vouches_for_is_believed(secured: Secured) -> None:
    """The certificate carries the name, though we connect to an address. Another name or authority is not."""

    async def scenario() -> None:
        async with secured.serving() as port:
            authority = {"tfs_ca_file": secured.files["tfs_ca_file"]}
            assert "secret" == await ask(port, **authority)
            assert "secret" == await ask(port, "tfs.", **authority)
            assert "UNAVAILABLE" == await ask(port, "other", **authority)
            assert "secret" == await ask(port, "other", tfs_server_name="tfs", **authority)
            assert "secret" == await ask(port, "127.0.0.1", tfs_server_name="tfs", **authority)
            assert "UNAVAILABLE" == await ask(port)
            assert "UNAVAILABLE" == await ask(port, tfs_tls=False)

    asyncio.run(scenario())


def test_mutual_tls_shows_who_we_are(secured: Secured) -> None:
    """Without our certificate such a server refuses us."""

    async def scenario() -> None:
        async with secured.serving(mutual=True) as port:
            assert "secret" == await ask(port, **secured.files)
            assert "UNAVAILABLE" == await ask(port, tfs_ca_file=secured.files["tfs_ca_file"])

    asyncio.run(scenario())


def test_replaced_certificates_are_picked_up(secured: Secured, caplog: pytest.LogCaptureFixture) -> None:
    """By the next channel. Files that are no good at that moment leave the former ones in use."""
    caplog.set_level(logging.WARNING, "pictor.tfs")

    async def scenario() -> None:
        async with secured.serving() as port:
            settings = {"tfs": f"127.0.0.1:{port}", "tfs_server_name": "tfs", "model": "m", "tfs_tls": True}
            secured.write(trustme.CA())
            fleet = Fleet(Settings.load({**settings, "tfs_ca_file": secured.files["tfs_ca_file"]}, {}))
            await fleet.start()
            server = fleet.servers[0]
            with pytest.raises(CallFailed):
                await server.call(PREDICT, b"", 20)
            secured.write(secured.authority)
            assert b"secret" == await server.call(PREDICT, b"", 20)
            secured.files["tfs_ca_file"].write_text("half a fi")
            server.reopen()
            assert b"secret" == await server.call(PREDICT, b"", 20)
            await fleet.close()

    asyncio.run(scenario())
    assert "certificates not read again" in caplog.text


@pytest.mark.parametrize("field", ["tfs_ca_file", "tfs_cert_file", "tfs_key_file"])
@pytest.mark.parametrize("spoilt", ["absent", "garbage", "other"])
def test_files_that_cannot_be_used_stop_the_start(secured: Secured, field: str, spoilt: str) -> None:
    """Nothing is found out only at the first call; the message names the file."""
    path = secured.files[field]
    if spoilt == "absent":
        path.unlink()
    elif spoilt == "garbage":
        path.write_text("no PEM")
    elif field == "tfs_ca_file":
        path.write_bytes(secured.files["tfs_key_file"].read_bytes())
    else:
        path.write_bytes(trustme.CA().issue_cert("x").private_key_and_cert_chain_pem.bytes())
    settings = Settings.load({"tfs": "tfs", "model": "m", "tfs_tls": True, **secured.files}, {})
    with pytest.raises(InvalidSettings, match=str(path)):
        Fleet(settings)


def test_a_key_with_a_password_is_refused_without_asking_the_terminal(secured: Secured) -> None:
    """Nobody sits there."""
    pem = secured.files["tfs_key_file"].read_bytes()
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - comes with trustme

    key = serialization.load_pem_private_key(pem, None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    secured.files["tfs_key_file"].write_bytes(locked)
    settings = Settings.load({"tfs": "tfs", "model": "m", "tfs_tls": True, **secured.files}, {})
    with pytest.raises(InvalidSettings, match="without a password"):
        Fleet(settings)
