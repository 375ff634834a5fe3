"""Undo a body's Content-Encoding, a little at a time."""

import asyncio
import zlib
from collections.abc import AsyncIterator

from pictor_gateway.errors import MalformedRequest

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""What zlib wants to be told; `deflate` is the zlib format, as HTTP says."""

_BYTES_IN = 16 * 1024
_BYTES_OUT = 256 * 1024
"""At most so much is read and written while the event loop waits: a millisecond, or a few at worst."""


class Inflation:
    """One compressed body. What comes out is yielded in pieces of bounded size, whatever goes in."""

    CODINGS = frozenset(_WINDOW_BITS)

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._stream = zlib.decompressobj(_WINDOW_BITS[coding])

    async def pieces(self, packed: bytes) -> AsyncIterator[bytes]:
        """Yield what the next bytes of the body stand for.

        Raises:
            MalformedRequest: they are not of this coding, or come after its end.
        """
        for begin in range(0, len(packed), _BYTES_IN):
            rest = packed[begin : begin + _BYTES_IN]
            more = True
            while more:
                piece = self._inflate(rest)
                rest = self._stream.unconsumed_tail
                more = len(piece) == _BYTES_OUT  # zlib may hold back a little, with no byte left to read
                if piece:
                    yield piece
                await asyncio.sleep(0)

    def check_end(self) -> None:
        """Refuse a body that breaks off.

        Raises:
            MalformedRequest: it does.
        """
        if not self._stream.eof:
            raise MalformedRequest(f"The body ends before its Content-Encoding {self._coding} does.")

    def _inflate(self, packed: bytes) -> bytes:
        ended = self._stream.eof
        try:
            piece = b"" if ended else self._stream.decompress(packed, _BYTES_OUT)
        except zlib.error as error:
            raise MalformedRequest(
                f"The body is not what its Content-Encoding {self._coding} says ({error})."
            ) from error
        if self._stream.unused_data or (ended and packed):
            raise MalformedRequest(f"More bytes follow the end of what is {self._coding} in the body.")
        return piece
