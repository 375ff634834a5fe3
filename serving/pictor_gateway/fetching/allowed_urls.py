"""Which pictures' URLs are followed: https, on its own port, from the hosts that the operator lists."""

import re
from dataclasses import dataclass
from typing import Self

from pictor_gateway.errors import UrlRefused

_URL = re.compile(r"https://(?P<host>[^/?#@:\\\[\]]+)(:443)?(?P<target>[/?#].*)?", re.IGNORECASE | re.DOTALL)
_TARGET = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=%]*")  # RFC 3986, without what only begins a fragment
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST_HOST = 253
_LONGEST_URL = 4096


@dataclass(frozen=True, slots=True)
class AllowedUrl:
    """A URL that may be followed: host as DNS knows it, path with query as the server gets it."""

    host: str
    target: str


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The operator's list; only the very names on it count, no names below them."""

    names: frozenset[str]

    @classmethod
    def listed(cls, hosts: tuple[str, ...]) -> Self:
        """Take the list as it is in the settings.

        Raises:
            ValueError: an entry is no host name.
        """
        return cls(frozenset(map(_canonical, hosts)))

    def check(self, url: str) -> AllowedUrl:
        """Return what to ask for, and whom.

        Raises:
            UrlRefused: another scheme, port or host, a user name, or letters that no URL has.
        """
        found = _URL.fullmatch(url) if len(url) <= _LONGEST_URL else None
        if found is None:
            raise UrlRefused(
                "A picture's URL must be https://HOST/..., with no port but 443 and without a user name, "
                f"and have at most {_LONGEST_URL} characters."
            )
        target = (found["target"] or "/").partition("#")[0]
        if not _TARGET.fullmatch(target):
            raise UrlRefused("The URL has characters that no URL has; write them as %XX.")
        try:
            host = _canonical(found["host"])
        except ValueError as error:
            raise UrlRefused(
                "The URL's host is not a host name; addresses of numbers are refused."
            ) from error
        if host not in self.names:
            raise UrlRefused(f"Pictures are not fetched from {host}; it is not on the operator's list.")
        return AllowedUrl(host, target if target.startswith("/") else f"/{target}")


def _canonical(host: str) -> str:
    """Return the name in small ASCII letters, without the dot that may end it.

    Raises:
        ValueError: it is no host name, or it is, or could be read as, an address of numbers.
    """
    name = host.lower().removesuffix(".")
    if not name.isascii():
        import idna  # noqa: PLC0415 - large, comes with httpx, rarely needed

        name = idna.encode(name).decode("ascii")  # its errors are ValueErrors
    labels = name.split(".")
    if len(name) > _LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)) or _NUMBER.fullmatch(labels[-1]):
        raise ValueError(f"{host!r} is no host name")
    return name
