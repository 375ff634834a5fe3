"""HTTP as uvicorn speaks it, with a limit on how slowly a client may send its headers.

h11, not httptools: 0.1 ms more per request, but it bounds the bytes of headers and trailers, and reads the
body of a request that offers an upgrade, as Java's clients do (https://github.com/Kludex/uvicorn/issues/2722).
"""

from asyncio import TimerHandle, Transport
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def header_limited(headers_s: float) -> type[H11Protocol]:
    """Return the protocol class that closes a connection without a first byte, or with unfinished headers.

    uvicorn limits the time between two requests only: a client that opens connections and sends a byte now
    and then would hold them for ever.
    """
    return type("HeaderLimited", (_HeaderLimited,), {"headers_s": headers_s})


class _HeaderLimited(H11Protocol):
    headers_s: ClassVar[float]
    _timer: TimerHandle | None = None
    _in_headers = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # uvicorn's own signature
        super().connection_made(transport)
        self._close_after(self.timeout_keep_alive)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        in_headers = self.conn.their_state is h11.IDLE  # bytes came, and their request is not complete
        if in_headers and not self._in_headers:
            self._close_after(self.headers_s)
        elif not in_headers:
            self._stop_timer()
        self._in_headers = in_headers

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: an offered upgrade may be passed over, and the request is answered as it is."""

    def _close_after(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
