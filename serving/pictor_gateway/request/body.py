"""Read a request's body, counted as it arrives."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request

from pictor_gateway.errors import BodyTimeout, BodyTooLarge, ClientGone, UnsupportedMediaType
from pictor_gateway.request.content_coding import Inflation
from pictor_gateway.request.length import length_in
from pictor_gateway.telemetry.facts import facts_of

_GRACE_S = 5.0
"""Seconds that every body has, whatever has come of it by then."""

_LEAST_RATE = 1024
"""Bytes a second that a body must bring on average after that: slower than any network that people use."""


def _take_any(_count: int) -> None:
    """Let every part pass."""


async def read_body(
    request: Request,
    max_bytes: int,
    timeout_s: float,
    *,
    compressible: bool = False,
    take: Callable[[int], None] = _take_any,
) -> bytes:
    """Return the whole body. A `compressible` one may have a Content-Encoding; `max_bytes` holds without it.

    `take` is told how many bytes are about to be kept, and may refuse them.

    Raises:
        UnsupportedMediaType: it is compressed, and in no way that is read here.
        MalformedRequest: it is not compressed as it says.
        BodyTooLarge: it says so itself, or it turns out so; the rest is not buffered.
        BodyTimeout: it is not there after `timeout_s`, or has come far too slowly for longer than `_GRACE_S`.
        ClientGone: the client hung up before its end.
    """
    inflation = _inflation(request.headers.get("content-encoding", ""), compressible=compressible)
    announced = length_in(request.headers.get("content-length", ""))
    if announced is not None and announced > max_bytes:
        raise _too_large(max_bytes)
    pace = _Pace(timeout_s)
    try:
        async with pace.timer:
            return await _read(request, _Kept(max_bytes, take), pace, inflation)
    except TimeoutError as error:
        raise BodyTimeout(f"The body was not complete after {pace.allowed_s:.3g} s.") from error


class _Pace:
    """Gives a body the more time the more of it has come. Made inside the task that reads it."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._began = asyncio.get_running_loop().time()
        self.allowed_s = min(_GRACE_S, most_s)
        self.timer = asyncio.timeout(self.allowed_s)

    def note(self, arrived: int) -> None:
        """Put the end off; `arrived` bytes are here."""
        self.allowed_s = min(max(_GRACE_S, arrived / _LEAST_RATE), self._most_s)
        self.timer.reschedule(self._began + self.allowed_s)


class _Kept:
    """The parts of a body that are kept, at most so many bytes."""

    def __init__(self, max_bytes: int, take: Callable[[int], None]) -> None:
        self.max_bytes = max_bytes
        self._take = take
        self._parts: list[bytes] = []
        self._count = 0

    def add(self, part: bytes) -> None:
        """Keep a part."""
        self._count += len(part)
        if self._count > self.max_bytes:
            raise _too_large(self.max_bytes)
        self._take(len(part))
        self._parts.append(part)

    def whole(self) -> bytes:
        """Return all that was kept."""
        return b"".join(self._parts)


def _inflation(encoding: str, *, compressible: bool) -> Inflation | None:
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        return None
    if compressible and coding in Inflation.CODINGS:
        return Inflation(coding)
    wanted = "gzip or deflate, or the body as it is" if compressible else "pictures as they are"
    raise UnsupportedMediaType(f"The body's Content-Encoding is {encoding[:50]!r}. Send {wanted}.")


async def _read(request: Request, kept: _Kept, pace: _Pace, inflation: Inflation | None) -> bytes:
    arrived = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("The client closed the connection before its body was complete.")
        more = message.get("more_body", False)
        facts_of(request).body_read = not more
        chunk: bytes = message.get("body", b"")
        arrived += len(chunk)
        if arrived > kept.max_bytes:
            raise _too_large(kept.max_bytes)
        pace.note(arrived)
        if inflation is None:
            kept.add(chunk)
            continue
        async for piece in inflation.pieces(chunk):
            kept.add(piece)
    if inflation is not None:
        inflation.check_end()
    return kept.whole()


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"A body may have at most {max_bytes} bytes.")
