"""What a test can make go wrong, and when; may be changed from any thread while the server answers."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Event, Lock
from time import monotonic
from types import MappingProxyType
from typing import Any, Final

import grpc
import numpy as np

from pictor_contract.signature import CONTRACT, SCORES
from tfs.models import Refused
from tfs.tensors import Array

QUEUE_FULL: Final = (
    "The batch scheduling queue to which this task was submitted is full; currently 2 batches enqueued and "
    "max_enqueued_batches is 2"
)
QUEUE_TIMEOUT: Final = "Run() timeout exceeded while waiting in batching queue"
OUT_OF_TIME: Final = "Timed out waiting for notification"
NO_DEADLINE_S: Final = 1e8

GARBLED: Final = ("garbage", "garbage_status")
"""Answers of Predict, or of GetModelStatus, that are no message."""
HALF: Final = "half"
"""A version whose pictures all fail, as its variables were missing when it was loaded."""
GARBAGE: Final = b"\xff\xff\xff\xffno message at all"


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it arrived. `version`, `label` and `time_remaining_s` are None if not sent."""

    method: str
    model: str = ""
    version: int | None = None
    label: str | None = None
    signature: str = ""
    pictures: int = 0
    size_bytes: int = 0
    time_remaining_s: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    config: str = ""


class Clock:
    """One call's time: it ends at the client's deadline, or when the client is gone."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        remaining = context.time_remaining()
        self.remaining_s = None if remaining is None or remaining > NO_DEADLINE_S else remaining
        self._end = None if self.remaining_s is None else monotonic() + self.remaining_s
        self.woken = Event()
        if not context.add_callback(self.woken.set):
            self.woken.set()

    @property
    def left_s(self) -> float | None:
        """Seconds until the deadline, never below 0; None without one."""
        return None if self._end is None else max(0.0, self._end - monotonic())

    def pause(self, seconds: float | None) -> None:
        """Wait, or for ever if None; give up at the deadline or when the client is gone."""
        left = self.left_s
        cut = left is not None and (seconds is None or left < seconds)
        self.woken.wait(left if cut else seconds)
        if cut and not self.left_s:
            raise Refused(grpc.StatusCode.DEADLINE_EXCEEDED, OUT_OF_TIME)


@dataclass
class _Refusal:
    refused: Refused
    method: str | None
    left: int | None


class Faults:
    """Everything that is wrong now; `heal` ends all of it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: set[Clock] = set()
        self.heal()

    def heal(self) -> None:
        """Answer at once and correctly again; what was held goes on."""
        with self._lock:
            self._holding: str | None = None
            self._delay_s = self._delay_per_picture_s = 0.0
            self._at_once: Any = nullcontext()
            self._refusals: list[_Refusal] = []
            self._spoilt: dict[int | None, str] = {}
            held, self._held = self._held, set()
        for clock in held:
            clock.woken.set()

    def slow(self, delay_s: float, per_picture_s: float = 0.0, at_once: int | None = None) -> None:
        """Let each run take so long, and at most `at_once` of them run: the rest wait, as for a device."""
        with self._lock:
            self._delay_s, self._delay_per_picture_s = delay_s, per_picture_s
            self._at_once = nullcontext() if at_once is None else BoundedSemaphore(at_once)

    def hold(self, method: str = "") -> None:
        """Take calls whose method contains `method` ("Predict"), and answer none until `heal`: it hangs."""
        with self._lock:
            self._holding = method

    @property
    def held(self) -> int:
        """How many calls are being held."""
        with self._lock:
            return len(self._held)

    def fail(self, code: str, text: str = "", times: int | None = None, method: str | None = None) -> None:
        """Refuse the next `times` calls (None: all) of `method` ("Predict", "GetModelStatus"; None: any)."""
        with self._lock:
            self._refusals.append(_Refusal(Refused(grpc.StatusCode[code], text), method, times))

    def spoil(self, how: str, version: int | None = None) -> None:
        """Answer wrongly, by default for every version; `how`: `HALF`, a key of `SPOILS`, or in `GARBLED`."""
        assert how in (HALF, *GARBLED, *SPOILS), how
        with self._lock:
            self._spoilt[version] = how

    def strike(self, method: str, clock: Clock) -> None:
        """Refuse or hold a call that has just arrived."""
        with self._lock:
            for refusal in self._refusals:
                if refusal.method in (None, method) and refusal.left != 0:
                    refusal.left = None if refusal.left is None else refusal.left - 1
                    raise refusal.refused
            holding = self._holding is not None and self._holding in method
            if holding:
                self._held.add(clock)
        if holding:
            try:
                clock.pause(None)
            finally:
                with self._lock:
                    self._held.discard(clock)
            clock.woken.clear()

    @contextmanager
    def running(self, pictures: int, pause: Callable[[float], None]) -> Iterator[None]:
        """Take the time that a run of so many pictures takes."""
        with self._lock:
            seconds, at_once = self._delay_s + pictures * self._delay_per_picture_s, self._at_once
        with at_once:
            if seconds:
                pause(seconds)
            yield

    def spoilt(self, version: int | None = None) -> str | None:
        """Return how a version answers wrongly, if it does; None for what concerns no version."""
        with self._lock:
            return self._spoilt.get(version, self._spoilt.get(None))


def _nan(outputs: dict[str, Array]) -> None:
    outputs[SCORES] = np.full_like(outputs[SCORES], np.nan)


def _other_shape(outputs: dict[str, Array]) -> None:
    outputs[SCORES] = np.concatenate([outputs[SCORES], outputs[SCORES][:, :1]], axis=1)


def _other_dtype(outputs: dict[str, Array]) -> None:
    outputs[SCORES] = outputs[SCORES].astype(np.float64)


def _other_scores(outputs: dict[str, Array]) -> None:
    outputs[SCORES] = np.roll(outputs[SCORES], 1, axis=1)


def _no_scores(outputs: dict[str, Array]) -> None:
    outputs["something"] = outputs.pop(SCORES)


def _other_contract(outputs: dict[str, Array]) -> None:
    told = json.loads(outputs[CONTRACT][0])
    _tell(outputs, json.dumps({**told, "made_by": "somebody else"}).encode())


def _no_json(outputs: dict[str, Array]) -> None:
    _tell(outputs, b"{no json")


def _no_text(outputs: dict[str, Array]) -> None:
    _tell(outputs, b"\xff\xfe")


def _tell(outputs: dict[str, Array], text: bytes) -> None:
    outputs[CONTRACT] = np.full(len(outputs[CONTRACT]), text, object)


SPOILS: Final = MappingProxyType(
    {
        "nan": (SCORES, _nan),
        "other_shape": (SCORES, _other_shape),
        "other_dtype": (SCORES, _other_dtype),
        "other_scores": (SCORES, _other_scores),
        "no_scores": (SCORES, _no_scores),
        "other_contract": (CONTRACT, _other_contract),
        "no_json": (CONTRACT, _no_json),
        "no_text": (CONTRACT, _no_text),
    }
)
"""Ways to answer wrongly: which output, and what is done to it."""


def spoil_outputs(how: str | None, outputs: dict[str, Array]) -> None:
    """Make the outputs wrong in place."""
    if how in SPOILS:
        output, change = SPOILS[how]
        if output in outputs:
            change(outputs)
