"""The thread that writes: bounded in number and in bytes, and nobody waits for it."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event

import pytest
from prometheus_client import CollectorRegistry

from pictor_gateway.capturing.writer import Retention, SampleWriter
from pictor_gateway.telemetry.learning_metrics import LearningMetrics
from pictor_store.errors import SamplesError
from pictor_store.places import FolderPlace
from pictor_store.samples import Sample, Samples, day_text, open_samples

Eventually = Callable[[Callable[[], bool]], None]


class SlowPlace(FolderPlace):
    """A place that takes nothing until it may."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.begun, self.may = Event(), Event()

    def write(self, path: str, content: bytes) -> None:
        """Wait, then write."""
        self.begun.set()
        self.may.wait()
        super().write(path, content)


@dataclass(frozen=True)
class Small:
    """A picture of so many bytes in memory, and few on disk."""

    number: int
    size: int = 10
    model: str = "pets"
    reason: str = "sampled"
    error: Exception | None = None

    def developed(self, subject_key: Callable[[bytes], str]) -> tuple[Sample, bytes]:
        """Return it, or fail."""
        if self.error is not None:
            raise self.error
        content = b"%d" % self.number
        sample = Sample(
            f"{self.number:024x}",
            "pets",
            1,
            day_text(0),
            "",
            "sampled",
            "png",
            sha256(content).hexdigest(),
            "PNG",
            1,
            1,
            (),
            {},
            "",
        )
        return sample, content


@pytest.fixture
def registry() -> CollectorRegistry:
    """Count here."""
    return CollectorRegistry()


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[SlowPlace]:
    """Give a place that waits; it takes all at the test's end."""
    place = SlowPlace(tmp_path / "samples")
    yield place
    place.may.set()


def _writer(place: FolderPlace, registry: CollectorRegistry) -> SampleWriter:
    writer = SampleWriter(Samples(place), Retention(30, 2**30), LearningMetrics(registry))
    writer.start()
    return writer


def _dropped(registry: CollectorRegistry, reason: str) -> float:
    return registry.get_sample_value("pictor_capture_dropped_pictures_total", {"reason": reason}) or 0


@pytest.mark.parametrize(("size", "kept"), [(10, 257), (8 * 2**20, 4), (33 * 2**20, 0)])
def test_what_waits_is_bounded_in_number_and_in_bytes(
    slow: SlowPlace, registry: CollectorRegistry, size: int, kept: int, eventually: Eventually
) -> None:
    """32 MiB with what is being written, 256 beside it; the rest is dropped and counted at once."""
    writer = _writer(slow, registry)
    writer.offer(Small(0, size))
    if kept:
        assert slow.begun.wait(30)
    for number in range(1, 300):
        writer.offer(Small(number, size))
    assert 300 - kept == _dropped(registry, "behind")
    slow.may.set()
    asyncio.run(writer.close())
    eventually(lambda: len(list(Path(slow.where).rglob("*.png"))) == kept)


def test_a_picture_that_breaks_the_writer_does_not_end_it(
    tmp_path: Path, registry: CollectorRegistry, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one is written; what was not expected is logged with its traceback."""
    writer = _writer(FolderPlace(tmp_path / "samples"), registry)
    writer.offer(Small(1, error=ZeroDivisionError("what nobody thought of")))
    writer.offer(Small(2, error=SamplesError("the folder is gone")))
    writer.offer(Small(3))
    eventually(lambda: len(list(open_samples(tmp_path / "samples").records("pets"))) == 1)
    asyncio.run(writer.close())
    assert 2 == _dropped(registry, "failed")
    assert ("capture failed unexpectedly" in caplog.text, "capture fails" in caplog.text) == (True, True)


def test_a_place_that_never_answers_does_not_hold_up_the_end(
    slow: SlowPlace, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process may stop; what could not be written is lost."""
    monkeypatch.setattr("pictor_gateway.capturing.writer._LAST_WORDS_S", 0.05)
    writer = _writer(slow, registry)
    writer.offer(Small(1))
    asyncio.run(writer.close())
    writer.offer(Small(2))
    assert 1 == _dropped(registry, "behind")


def test_much_that_is_written_is_swept_soon(
    tmp_path: Path, registry: CollectorRegistry, eventually: Eventually
) -> None:
    """The size holds without waiting for the hour."""
    place = FolderPlace(tmp_path / "samples")
    writer = SampleWriter(Samples(place), Retention(30, 1), LearningMetrics(registry))
    writer.start()
    for number in range(5):
        writer.offer(Small(number))
    eventually(lambda: not writer._waiting and list(open_samples(place.where).records("pets")) == [])
    asyncio.run(writer.close())
