"""The setting `tfs`: where TensorFlow Serving is, in the forms that gRPC itself understands.

::

    host, host:8500, dns:host:8500, dns:///host:8500     every address that DNS gives, again and again
    10.0.0.1:8500, ipv4:10.0.0.1:8500,10.0.0.2:8500      these addresses
    [fd00::1]:8500, ipv6:[fd00::1]:8500                  the same for IPv6
    unix:/run/tfs.sock, unix:///run/tfs.sock             a socket file

Read when the settings are judged, so it loads nothing but the standard library.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from ipaddress import ip_address as any_address

DEFAULT_PORT = 8500
"""TensorFlow Serving's own gRPC port."""

_IPV4 = 4
_MOST_PORT = 65535
_MOST_NAME_LETTERS = 253
_WRITE = "write host:8500, dns:///host:8500, 10.0.0.1:8500, [fd00::1]:8500 or unix:/path"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://.*|(unix-abstract|vsock|xds|passthrough):.*")
_ADDRESS_SCHEME = re.compile(r"(ipv4|ipv6):(.*)", re.IGNORECASE)
_DNS_SCHEME = re.compile(r"dns:(?!\d+$)(.*)", re.IGNORECASE)
_BRACKETED = re.compile(r"\[([^\]]*)\](?::(.*))?")
_HOST = re.compile(r"([^:]*)(?::(.*))?")
_PORT = re.compile(r"[0-9]{1,5}")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


IpAddress = IPv4Address | IPv6Address


class InvalidTarget(ValueError):
    """A part of the setting names no server; the message says what was received and what to write."""


@dataclass(frozen=True, slots=True)
class Address:
    """One server as gRPC finds it. `text` is for people; `host` the DNS name it was found by, if any."""

    uri: str
    text: str
    host: str = ""

    @property
    def authority(self) -> str:
        """The name and the port, as proxies expect them."""
        return f"{self.host}:{self.text.rpartition(':')[2]}"


@dataclass(frozen=True, slots=True)
class DnsName:
    """A name whose addresses all serve at one port."""

    host: str
    port: int

    def at(self, address: IpAddress) -> Address:
        """Return the server at one of the name's addresses."""
        return ip_address(address, self.port, self.host.removesuffix("."))


Target = Address | DnsName


def ip_address(address: IpAddress, port: int, host: str = "") -> Address:
    """Return the server at `address`, which DNS gave for `host` or which was set as it is."""
    text = f"{address}:{port}" if address.version == _IPV4 else f"[{address}]:{port}"
    return Address(f"ipv{address.version}:{text}", text, host)


def preferred(found: Iterable[str]) -> list[IpAddress]:
    """Return the addresses to use of those that DNS gave for a name.

    With both families only IPv4 counts: a dual-stack headless Service would give each pod twice, and
    `localhost` gives ::1, where a server that listens on 0.0.0.0 is not found.
    """
    given = {any_address(one.partition("%")[0]) for one in found}
    return [one for one in given if one.version == _IPV4] or list(given)


def parse_targets(text: str) -> tuple[Target, ...]:
    """Read the comma-separated setting; what is named twice counts once.

    gRPC's form of several addresses, `ipv4:1.2.3.4:8500,5.6.7.8:8500`, needs no rule of its own: what
    follows the comma is an address without a scheme.

    Raises:
        InvalidTarget: a part is no server, or there is none.
    """
    parts = [part for part in map(str.strip, text.split(",")) if part]
    if not parts:
        raise InvalidTarget(f"no server is named; {_WRITE}")
    return tuple(dict.fromkeys(_target(part) for part in parts))


def _target(part: str) -> Target:
    if part.lower().startswith("unix:"):
        return _socket_file(part)
    if found := _ADDRESS_SCHEME.fullmatch(part):
        target = _host_and_port(found[2], part)
        if isinstance(target, DnsName) or not target.uri.startswith(found[1].lower()):
            raise InvalidTarget(f"{part!r} is no {found[1]} address; {_WRITE}")
        return target
    if found := _DNS_SCHEME.fullmatch(part):
        return _host_and_port(_without_authority(found[1], part), part)
    if found := _SCHEME.fullmatch(part):
        raise InvalidTarget(_scheme_text((found[1] or found[2]).lower(), part))
    return _host_and_port(part, part)


def _scheme_text(scheme: str, part: str) -> str:
    if scheme in {"http", "https", "grpc", "grpcs"}:
        rest = part.split("://", 1)[-1].split("/", 1)[0] or "host:8500"
        return (
            f"{part!r} is a URL; write the gRPC address alone, as {rest!r} (port 8500 by default, not the "
            "REST port 8501), and --tfs-tls=true for TLS"
        )
    return f"{part!r} has the scheme {scheme!r}, which is not known; {_WRITE}"


def _without_authority(rest: str, part: str) -> str:
    if not rest.startswith("//"):
        return rest
    authority, slash, host = rest[2:].partition("/")
    if authority or not slash:
        raise InvalidTarget(
            f"{part!r} names a DNS server before the host, which is not supported; "
            f"write dns:///{host or authority}"
        )
    return host


def _socket_file(part: str) -> Address:
    path = part[len("unix:") :]
    if path.startswith("//"):
        path = path[2:]
        if not path.startswith("/"):
            raise InvalidTarget(f"{part!r} names a host before the path; write unix:/path or unix:///path")
    if not path or "\0" in path:
        raise InvalidTarget(f"{part!r} names no socket file; write unix:/path")
    return Address(f"unix:{path}", f"unix:{path}")


def _host_and_port(text: str, part: str) -> Target:
    found = _BRACKETED.fullmatch(text)
    if found:
        port = _port(found[2], part)
        try:
            return ip_address(IPv6Address(found[1]), port)
        except AddressValueError as error:
            raise InvalidTarget(f"{part!r} holds no IPv6 address between [ and ]; {_WRITE}") from error
    found = _HOST.fullmatch(text)
    if found is None or ":" in (found[2] or ""):
        raise InvalidTarget(f"{part!r} has several colons; an IPv6 address goes in brackets: [fd00::1]:8500")
    port = _port(found[2], part)
    try:
        return ip_address(IPv4Address(found[1]), port)
    except AddressValueError:
        return DnsName(_name(found[1], part), port)


def _port(digits: str | None, part: str) -> int:
    if digits is None:
        return DEFAULT_PORT
    if not (_PORT.fullmatch(digits) and 1 <= int(digits) <= _MOST_PORT):
        raise InvalidTarget(f"{part!r} has the port {digits!r}; write a number from 1 to {_MOST_PORT}")
    return int(digits)


def _name(host: str, part: str) -> str:
    """Return a name that DNS can be asked for; a last label of digits is a mistyped IPv4 address."""
    labels = host.removesuffix(".").split(".")
    known = all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    if not known or len(host) > _MOST_NAME_LETTERS:
        raise InvalidTarget(f"{part!r} holds no host name and no address; {_WRITE}")
    return host
