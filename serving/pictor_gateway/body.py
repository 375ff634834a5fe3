"""Read a request's body, counted as it arrives."""

import asyncio

from starlette.requests import Request

from pictor_gateway.errors import BodyTimeout, BodyTooLarge, ClientGone, UnsupportedMediaType

_ENOUGH_DIGITS = 18
"""Of a Content-Length; `int` would raise on thousands of them."""


async def read_body(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    """Return the whole body.

    Raises:
        UnsupportedMediaType: it is compressed.
        BodyTooLarge: it says so itself, or it turns out so; the rest is not buffered.
        BodyTimeout: it is not there after `timeout_s`, however steadily it trickles.
        ClientGone: the client hung up before its end.
    """
    encoding = request.headers.get("content-encoding", "")
    if encoding.lower() not in ("", "identity"):
        raise UnsupportedMediaType(
            f"The body's Content-Encoding is {encoding[:50]!r}. Send pictures as they are."
        )
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:_ENOUGH_DIGITS]) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout_s):
            return await _read(request, max_bytes)
    except TimeoutError as error:
        raise BodyTimeout(f"The body was not complete after {timeout_s:g} s.") from error


async def _read(request: Request, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    received = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("The client closed the connection before its body was complete.")
        chunk: bytes = message.get("body", b"")
        received += len(chunk)
        if received > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"A body may have at most {max_bytes} bytes.")
