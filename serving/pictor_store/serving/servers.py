"""Which TensorFlow Servings serve the store and how they are told: settings, before anything is opened."""

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pictor_store.errors import RolloutFailed, StoreError
from pictor_store.places import is_url
from pictor_tfs.targets import Address, DnsName, InvalidTarget, Target, parse_targets, preferred

TIMEOUT_S: Final = 600.0
"""Seconds for the servers to follow. By default TensorFlow Serving tries a damaged version for 300."""

_MOST_S: Final = 86400
"""A day: gRPC knows no endless time."""

_NO_ADDRESS: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
"""DNS answered that there is none. EAI_AGAIN is no answer: a server may well be there."""


class NoServers(RolloutFailed):
    """Every address is a DNS name, and DNS says of each that it has no address: no server is ready."""


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files; without `ca_file` the authorities that gRPC knows. `name` is what the certificate says."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Servers:
    """TensorFlow Servings that serve this store's models, and none that `config_file` does not name.

    `addresses` are written as for `pictor serve --tfs`; a DNS name stands for every address behind it.
    `config_file` is the file they start with, and poll if they do. `base_path` is the store as they see it;
    by default where it is.

    Raises:
        StoreError: an address is none, a base path is not absolute, or a time is none.
    """

    addresses: str | tuple[str, ...] = ()
    config_file: Path | None = None
    base_path: str | None = None
    timeout_s: float = TIMEOUT_S
    tls: Tls | None = None
    targets: tuple[Target, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Read the addresses."""
        text = self.addresses if isinstance(self.addresses, str) else ",".join(self.addresses)
        try:
            targets = parse_targets(text) if text.strip() else ()
        except InvalidTarget as error:
            raise StoreError(f"TensorFlow Serving's address: {error}.") from error
        object.__setattr__(self, "targets", targets)
        if self.base_path is not None and not _is_whole(self.base_path):
            raise StoreError(
                f"The base path must be the store as TensorFlow Serving sees it, from the root or as a URL; "
                f"received {self.base_path!r}."
            )
        if not 0 < self.timeout_s <= _MOST_S:
            raise StoreError(
                f"The time for the servers must be more than 0 and at most {_MOST_S} s; received "
                f"{self.timeout_s!r}."
            )

    def __bool__(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self.targets) or self.config_file is not None

    def found(self) -> list[Address]:
        """Return every server's address; names are asked for now.

        Raises:
            NoServers: no name has an address, and nothing else is set.
            RolloutFailed: a name has no address, or nobody tells it.
        """
        addresses: dict[str, Address] = {}
        empty: list[str] = []
        for target in self.targets:
            here = _resolved(target) if isinstance(target, DnsName) else [target]
            addresses |= {address.uri: address for address in here}
            if isinstance(target, DnsName) and not here:
                empty.append(target.host)
        if empty:
            error = RolloutFailed if addresses else NoServers
            raise error(
                f"TensorFlow Serving's host {', '.join(empty)} has no address, as in a cluster where no "
                "server is ready. No label has moved. Start one, wait until it is ready, and run the command "
                "again."
            )
        return list(addresses.values())


def base_path_of(servers: Servers, where: str) -> str:
    """Return the base path: as set, or where the store is."""
    if servers.base_path is not None:
        return servers.base_path
    return where if is_url(where) else str(Path(where).absolute())


def _is_whole(base_path: str) -> bool:
    return base_path.startswith("/") or is_url(base_path)


def _resolved(name: DnsName) -> list[Address]:
    """Return the addresses of a name; none where DNS says so."""
    try:
        found = socket.getaddrinfo(name.host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        if isinstance(error, socket.gaierror) and error.errno in _NO_ADDRESS:
            return []
        raise RolloutFailed(
            f"The address of TensorFlow Serving's host {name.host} cannot be found out: "
            f"{error.strerror or error}. No label has moved. Run the command again when DNS answers."
        ) from error
    addresses = [name.at(one) for one in preferred(str(entry[4][0]) for entry in found)]
    return sorted(addresses, key=lambda address: address.text)
