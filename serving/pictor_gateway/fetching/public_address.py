"""Which internet addresses are everybody's: not the machine's own, its network's, or its cloud's."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_DOCUMENTATION = IPv6Network("3fff::/20")  # newer than the standard library's own list
_EMBEDDED = 0xFFFF_FFFF

_NOT_EVERYBODYS = (
    IPv4Network("168.63.129.16/32"),  # Azure's own services, as each of its machines sees them
    IPv4Network("192.0.0.0/24"),  # the protocols' own; Oracle's cloud answers there
    IPv4Network("192.88.99.0/24"),  # where 6to4's relays were
)


def is_public(address: str) -> bool:
    """Whether `address`, as the resolver writes it, may be connected to on a stranger's behalf.

    An address that carries another one inside is as public as that one.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _is_public_v4(parsed)
    if parsed.scope_id is not None:
        return False
    inner = _inner(parsed)
    if parsed.ipv4_mapped is not None or parsed in _NAT64:
        return all(map(_is_public_v4, inner))
    listed = parsed in _UNICAST and parsed not in _DOCUMENTATION and parsed.is_global
    return listed and all(map(_is_public_v4, inner))


def _is_public_v4(address: IPv4Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _NOT_EVERYBODYS)
    )


def _inner(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses it leads to: mapped, by NAT64, by 6to4, by Teredo (server and client)."""
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (IPv4Address(int(address) & _EMBEDDED),)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    return address.teredo or ()
