"""Look at a sample of the pictures that were answered, in a thread of its own."""

import asyncio
import logging
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pictor_contract import DecodedPicture
from pictor_contract.statistics import answer_bins, picture_bins
from pictor_gateway.drift.window import DriftWindow
from pictor_gateway.drift.windows import DriftWindows
from pictor_gateway.inference.pipeline import Recognised
from pictor_gateway.process.priority import step_back
from pictor_gateway.request.encoded import RAW
from pictor_gateway.request.observer import Answered
from pictor_gateway.rollout.share import is_within
from pictor_gateway.telemetry.learning_metrics import LearningMetrics

log = logging.getLogger("pictor.drift")

_MOST_WAITING: Final = 256
_MOST_WAITING_BYTES: Final = 32 * 1024 * 1024
"""Of pictures that wait to be looked at; what comes meanwhile is dropped and counted."""

_SHOW_AFTER_S: Final = 0.5
"""Seconds from a picture to the score that it changed: one score costs as much as a few pictures."""

_LAST_WORDS_S: Final = 5.0
"""Seconds that the end of the process waits for what is in hand."""


@dataclass(frozen=True, slots=True)
class _Glimpse:
    """One picture on its way to the thread."""

    window: DriftWindow
    pixels: NDArray[np.uint8]
    size: tuple[int, int] | None
    scores: NDArray[np.float32]


def watch_from(rate: float, windows: DriftWindows, metrics: LearningMetrics) -> "DriftWatch | None":
    """Return what looks at `rate` of the pictures; None where it is 0, so that it costs nothing."""
    return DriftWatch(rate, windows, metrics) if rate else None


class DriftWatch:
    """An observer: picks a share of the pictures, and hands them to the thread that compares them."""

    def __init__(self, rate: float, windows: DriftWindows, metrics: LearningMetrics) -> None:
        self._rate = rate
        self._windows = windows
        self._metrics = metrics
        self._waiting: SimpleQueue[_Glimpse | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="pictor-drift", daemon=True)

    async def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    async def close(self) -> None:
        """End after what is in hand."""
        self._waiting.put(None)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, _LAST_WORDS_S)

    def answered(self, answered: Answered) -> None:
        """Pick among the pictures that were recognised: the same ones wherever the request is answered."""
        served = answered.served
        window = self._windows.of(served)
        if window is None:
            return
        for position, outcome in enumerate(answered.outcomes):
            picture = answered.decoded[position]
            if (
                isinstance(outcome, Recognised)
                and isinstance(picture, DecodedPicture)
                and is_within(self._rate, served.name, f"{answered.request_id}/{position}")
            ):
                self._offer(window, picture, outcome)

    def _offer(self, window: DriftWindow, picture: DecodedPicture, outcome: Recognised) -> None:
        waiting = self._waiting.qsize()
        if waiting >= _MOST_WAITING or waiting * picture.pixels.nbytes > _MOST_WAITING_BYTES:
            self._metrics.drift_dropped.inc()
            return
        # Pixels that came as such may be a part of the request's body, all of which they would keep alive.
        raw = picture.format == RAW  # nobody knows what size it once had
        pixels, size = (
            (picture.pixels.copy(), None) if raw else (picture.pixels, (picture.width, picture.height))
        )
        self._waiting.put(_Glimpse(window, pixels, size, outcome.scores))

    def _work(self) -> None:
        step_back()
        changed: set[DriftWindow] = set()
        show_at = 0.0
        while True:
            try:
                glimpse = self._waiting.get(timeout=max(0.0, show_at - monotonic()) if changed else None)
            except Empty:
                self._show(changed)
                continue
            if glimpse is None:
                return
            if not changed:
                show_at = monotonic() + _SHOW_AFTER_S
            self._look(glimpse)
            changed.add(glimpse.window)
            if monotonic() >= show_at:
                self._show(changed)

    def _look(self, glimpse: _Glimpse) -> None:
        try:
            bins = answer_bins(glimpse.scores) | picture_bins(glimpse.pixels, glimpse.size)
            glimpse.window.add(bins)
        except Exception:  # the thread's own door: pictures that come later must find it alive
            log.exception("a picture could not be compared")

    def _show(self, changed: set[DriftWindow]) -> None:
        try:
            self._windows.show(changed)
        except Exception:  # likewise
            log.exception("the drift could not be reckoned")
        changed.clear()
