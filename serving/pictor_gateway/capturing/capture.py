"""Look on while pictures are answered, and have some of them kept."""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import nlargest
from io import BytesIO
from time import time

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pictor_contract import ImageContract
from pictor_gateway.capturing.choice import Choice
from pictor_gateway.capturing.prediction_ids import predicted_indices
from pictor_gateway.capturing.writer import SampleWriter
from pictor_gateway.inference.pipeline import Recognised
from pictor_gateway.request.encoded import RAW, Base64Picture, RawPixels, SentPicture
from pictor_gateway.request.observer import Answered
from pictor_store.samples import Sample, day_text, digest_of, id_of, utc_text
from pictor_store.samples.records import Reason

SUBJECT_HEADER = "x-subject-id"

_MOST_SCORES = 5
_SCORE_DIGITS = 7
_SUFFIXES = {"JPEG": "jpg", "TIFF": "tif", RAW: "png"}


@dataclass(frozen=True, slots=True)
class Catch:
    """One picture chosen for keeping. Pixels that came without a format are written as PNG."""

    prediction_id: str
    model: str
    version: int
    contract: ImageContract
    caught_s: float
    reason: Reason
    recognised: Recognised
    picture: bytes | Base64Picture | NDArray[np.uint8]
    subject: bytes

    @property
    def size(self) -> int:
        """The bytes it holds in memory."""
        if isinstance(self.picture, Base64Picture):
            return len(self.picture.text)
        return self.picture.nbytes if isinstance(self.picture, np.ndarray) else len(self.picture)

    def developed(self, subject_key: Callable[[bytes], str]) -> tuple[Sample, bytes]:
        """Return the record and the picture's bytes. Slow: not for the event loop.

        Raises:
            SamplesError: whose picture it is cannot be hashed.
        """
        content = _encoded(self.picture)
        labels, scores = self.contract.labels, self.recognised.scores
        highest = nlargest(_MOST_SCORES, range(len(labels)), key=scores.__getitem__)
        sample = Sample(
            id=id_of(self.prediction_id) or "",
            model=self.model,
            version=self.version,
            day=day_text(self.caught_s),
            captured_utc=utc_text(self.caught_s),
            reason=self.reason,
            suffix=_SUFFIXES.get(self.recognised.format, self.recognised.format.lower()),
            sha256=digest_of(content),
            format="PNG" if self.recognised.format == RAW else self.recognised.format,
            width=self.recognised.width,
            height=self.recognised.height,
            predicted=tuple(labels[index] for index in predicted_indices(self.contract, scores)),
            scores={labels[index]: round(float(scores[index]), _SCORE_DIGITS) for index in highest},
            subject=subject_key(self.subject) if self.subject else "",
        )
        return sample, content


class Capture:
    """An observer: chooses, and hands what it chose to the writer."""

    def __init__(self, choice: Choice, writer: SampleWriter) -> None:
        self._choice = choice
        self._writer = writer

    async def start(self) -> None:
        """Begin to write."""
        self._writer.start()

    async def close(self) -> None:
        """Write what is in hand."""
        await self._writer.close()

    def answered(self, answered: Answered) -> None:
        """Choose among the request's pictures; those that were refused are never kept."""
        if not self._choice.allows(answered.headers):
            return
        for position, outcome in enumerate(answered.outcomes):
            if isinstance(outcome, Recognised):
                reason = self._choice.of(answered.served, outcome.scores)
                if reason is not None:
                    self._catch(answered, position, outcome, reason)

    def _catch(self, answered: Answered, position: int, recognised: Recognised, reason: Reason) -> None:
        picture = _held(answered.pictures[position])
        if picture is not None:
            served = answered.served
            self._writer.offer(
                Catch(
                    answered.prediction_ids[position],
                    served.name,
                    served.version,
                    served.contract,
                    time(),
                    reason,
                    recognised,
                    picture,
                    _subject_of(answered),
                )
            )


def _subject_of(answered: Answered) -> bytes:
    """Return whose picture it is, as bytes: HTTP hands headers over as Latin-1, whatever was sent."""
    return answered.headers.get(SUBJECT_HEADER, "").strip().encode("latin-1", "replace") or (
        answered.key.encode()
    )


def _held(picture: SentPicture) -> bytes | Base64Picture | NDArray[np.uint8] | None:
    """Return what is kept of a picture until then; of pixels a copy, for they may be a part of a body."""
    if isinstance(picture, RawPixels):
        return picture.pixels.astype(np.uint8)
    return picture if isinstance(picture, bytes | Base64Picture) else None


def _encoded(picture: bytes | Base64Picture | NDArray[np.uint8]) -> bytes:
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, Base64Picture):
        return picture.to_bytes()
    file = BytesIO()
    grey = picture.shape[2] == 1
    Image.fromarray(picture[:, :, 0] if grey else picture).save(file, "PNG")
    return file.getvalue()
