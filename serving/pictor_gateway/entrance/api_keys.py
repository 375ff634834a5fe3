"""API keys as operators write them: `name:sha256[:requests a second[:burst]]`, one a line.

A key is 256 random bits, so one plain SHA-256 of it is enough: there is nothing to guess that a slow, salted
hash would have to protect, and each request pays for the hash.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import isfinite
from secrets import token_urlsafe

from pictor_gateway.entrance.rate_limit import Rate

KEY_PREFIX = "pictor_"
"""Lets people, and scanners that look for leaked secrets, see what it is."""

_RANDOM_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_MOST_FIELDS = 4
_LEAST_RATE = 0.001
_MOST_BURST = 1_000_000


class InvalidKeys(Exception):
    """The keys cannot be used. The message names the line and the fault, never what stands there."""


@dataclass(frozen=True, slots=True)
class Client:
    """Whoever holds a key. `rate`: their own or everybody's; None for no limit."""

    name: str
    rate: Rate | None


Clients = Mapping[bytes, Client]
"""Clients by their key's digest: a look-up by digest tells nothing by the time it takes."""


@dataclass(frozen=True, slots=True)
class DefaultRate:
    """What holds for a line without numbers of its own."""

    per_second: float | None
    burst: int


def new_key() -> str:
    """Return a fresh key."""
    return KEY_PREFIX + token_urlsafe(_RANDOM_BYTES)


def digest_of(key: str) -> bytes:
    """Return the digest under which a key is known. HTTP hands headers over as Latin-1."""
    return sha256(key.encode("latin-1", "replace")).digest()


def line_for(name: str, key: str, per_second: float | None = None, burst: int | None = None) -> str:
    """Return the line that stands for `key`; it does not tell the key."""
    numbers = [str(one) for one in (per_second, burst) if one is not None]
    return ":".join([name, digest_of(key).hex(), *numbers])


def read_lines(lines: Iterable[tuple[str, str]], default: DefaultRate) -> Clients:
    """Return the clients of lines, each given with the name of its place ("line 3 of keys.txt").

    A name may have several keys, an old and a new one while they are exchanged; they share one rate.

    Raises:
        InvalidKeys: a line is malformed, or contradicts another one.
    """
    clients: dict[bytes, Client] = {}
    rates: dict[str, Rate | None] = {}
    for place, line in lines:
        text = line.partition("#")[0].strip()
        if not text:
            continue
        digest, client = _read(place, text, default)
        if digest in clients:
            raise InvalidKeys(f"{place}: the same key stands in an earlier line.")
        if rates.setdefault(client.name, client.rate) != client.rate:
            raise InvalidKeys(f"{place}: an earlier line gives the same name another rate.")
        clients[digest] = client
    return clients


def _read(place: str, text: str, default: DefaultRate) -> tuple[bytes, Client]:
    name, *fields = (field.strip() for field in text.split(":"))
    if not 1 <= len(fields) < _MOST_FIELDS:
        raise InvalidKeys(f"{place}: expected name:sha256, or name:sha256:rate:burst.")
    if not _NAME.fullmatch(name):
        raise InvalidKeys(f"{place}: the name must be 1 to 64 letters, digits, dots, dashes or underscores.")
    if not _DIGEST.fullmatch(fields[0]):
        raise InvalidKeys(
            f"{place}: after the name comes the key's SHA-256, 64 hexadecimal digits, not the key itself."
        )
    return bytes.fromhex(fields[0]), Client(name, _rate(place, fields[1:], default))


def _rate(place: str, numbers: list[str], default: DefaultRate) -> Rate | None:
    try:
        per_second = float(numbers[0]) if numbers else default.per_second
        burst = int(numbers[1]) if numbers[1:] else default.burst
    except ValueError as error:
        raise InvalidKeys(f"{place}: the rate must be a number, the burst a whole one.") from error
    if per_second is None:
        return None
    if not (isfinite(per_second) and per_second >= _LEAST_RATE and 1 <= burst <= _MOST_BURST):
        raise InvalidKeys(
            f"{place}: the rate must be at least {_LEAST_RATE:g}, the burst between 1 and {_MOST_BURST:,}."
        )
    return Rate(per_second, burst)
