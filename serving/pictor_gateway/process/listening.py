"""The sockets, bound before anything slow, so that a taken port is told at once."""

import socket
from contextlib import suppress
from dataclasses import dataclass

from pictor_gateway.settings import Settings

BACKLOG = 2048
"""Connections that may wait to be accepted; uvicorn's own number."""


ANNOUNCEMENT = "pictor: listening on "
"""How the line on standard output begins by which a person, or a script, learns that the gateway is up."""


class CannotListen(Exception):
    """The address cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where the gateway listens. `probes` is there if probes and metrics have a port of their own."""

    main: socket.socket
    probes: socket.socket | None

    @property
    def address(self) -> str:
        """The main port's, as a URL."""
        return _url(self.main)

    @property
    def probes_address(self) -> str:
        """The probes' own, as a URL, or ""."""
        return "" if self.probes is None else _url(self.probes)

    def filenos(self) -> tuple[int, ...]:
        """Return the descriptors, main port first."""
        return tuple(one.fileno() for one in (self.main, self.probes) if one is not None)

    @classmethod
    def inherited(cls, filenos: tuple[int, ...]) -> "Listeners":
        """Return what another process opened and handed on under these descriptors."""
        main, *probes = (socket.socket(fileno=fileno) for fileno in filenos)
        return cls(main, probes[0] if probes else None)

    def close(self) -> None:
        """Close both in this process; another one that has them goes on."""
        self.main.close()
        if self.probes is not None:
            self.probes.close()


def listen(settings: Settings) -> Listeners:
    """Open the ports that the settings name.

    Raises:
        CannotListen: one is taken, or the address is not ours.
    """
    main = _listen(settings.host, settings.port, "--port")
    if settings.metrics_port is None:
        return Listeners(main, None)
    try:
        return Listeners(main, _listen(settings.host, settings.metrics_port, "--metrics-port"))
    except CannotListen:
        main.close()
        raise


def _listen(host: str, port: int, flag: str) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise _refusal(host, port, flag, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with suppress(OSError):  # "::" then takes IPv4 as well, where the system allows it
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _refusal(host, port, flag, error) from error
    return listener


def _refusal(host: str, port: int, flag: str, error: OSError) -> CannotListen:
    return CannotListen(
        f"Cannot listen on {host}:{port} ({error.strerror}). Choose others with --host and {flag}."
    )


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
