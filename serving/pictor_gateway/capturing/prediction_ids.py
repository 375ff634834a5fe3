"""Prediction ids: signed, so that any replica can check one without having kept anything.

::

    12 bytes random     the name of the captured picture, if it is captured
     1 byte  form       1, or 2 where the labels are too many to be listed
     4 bytes time       seconds since 1970
     8 bytes version
     6 bytes model      of SHA-256 over its name
     6 bytes labels     of SHA-256 over those predicted: tells right from wrong when nobody knows the indices
     2 bytes an index   of each label predicted, at most 24
    16 bytes signature  of HMAC-SHA256 over all before

As URL-safe base64 that is 74 letters for one label, and never more than 135.
"""

import binascii
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from random import getrandbits
from struct import Struct
from time import time

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract
from pictor_contract.decision import decide
from pictor_gateway.backends.protocol import ServedVersion
from pictor_gateway.errors import PredictionNotFound
from pictor_gateway.inference.pipeline import Recognised, Refusal
from pictor_store.clock import DAY_S
from pictor_store.samples import ID_BYTES

MOST_LETTERS = 150
"""Of an id; what is longer is none of ours."""

_HEAD = Struct(f">{ID_BYTES}sBIQ6s6s")
_INDEX = Struct(">H")
_SIGNATURE_BYTES = 16
_SHORT_BYTES = 6
_LISTED, _TOO_MANY = 1, 2
_MOST_LISTED = 24
_HIGHEST_INDEX = 0xFFFF
_TO_STANDARD = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What an id says. `indices` is None where the labels were too many to be listed."""

    sample_id: str
    predicted_s: int
    version: int
    indices: tuple[int, ...] | None
    _model: bytes
    _labels: bytes

    def is_of(self, model: str) -> bool:
        """Whether the model of that name made it."""
        return self._model == _short(model.encode())

    def was(self, labels: Iterable[str]) -> bool:
        """Whether exactly these labels were predicted."""
        return self._labels == _labels_digest(tuple(sorted(labels)))


class PredictionIds:
    """Makes ids and reads them."""

    def __init__(self, secret: str, max_age_s: float) -> None:
        self._key = sha256(b"pictor prediction id\0" + secret.encode()).digest()
        self._max_age_s = max_age_s

    def issue(self, served: ServedVersion, outcomes: Sequence[Recognised | Refusal]) -> tuple[str, ...]:
        """Return an id for each picture that was recognised, "" for the others."""
        now_s = int(time())
        return tuple(
            self._id(served, predicted_indices(served.contract, one.scores), now_s)
            if isinstance(one, Recognised)
            else ""
            for one in outcomes
        )

    def read(self, text: str) -> Prediction:
        """Return what an id says.

        Raises:
            PredictionNotFound: it is none of ours, or too old.
        """
        signed = _bytes_of(text)
        body, signature = signed[:-_SIGNATURE_BYTES], signed[-_SIGNATURE_BYTES:]
        if len(body) < _HEAD.size or not hmac.compare_digest(signature, self._sign(body)):
            raise PredictionNotFound("No prediction of this gateway has this prediction_id.")
        random, form, predicted_s, version, model, labels = _HEAD.unpack_from(body)
        if time() - predicted_s > self._max_age_s:
            raise PredictionNotFound(
                f"Feedback is taken for {self._max_age_s / DAY_S:g} days; this is older."
            )
        listed = tuple(index for (index,) in _INDEX.iter_unpack(body[_HEAD.size :]))
        indices = listed if form == _LISTED else None
        return Prediction(random.hex(), predicted_s, version, indices, model, labels)

    def _id(self, served: ServedVersion, indices: Sequence[int], now_s: int) -> str:
        labels = tuple(sorted(served.contract.labels[index] for index in indices))
        listed = len(indices) <= _MOST_LISTED and max(indices, default=0) <= _HIGHEST_INDEX
        body = _HEAD.pack(
            getrandbits(8 * ID_BYTES).to_bytes(ID_BYTES, "big"),  # no secret: the signature is
            _LISTED if listed else _TOO_MANY,
            now_s,
            served.version,
            _short(served.name.encode()),
            _labels_digest(labels),
        )
        if listed:
            body += b"".join(map(_INDEX.pack, indices))
        return _text_of(body + self._sign(body))

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_SIGNATURE_BYTES]


def predicted_indices(contract: ImageContract, scores: NDArray[np.float32]) -> list[int]:
    """Return the labels that an answer stands for: those decided, or else the one with the highest score.

    A multilabel answer may stand for none.
    """
    if contract.head != "multilabel" and not contract.thresholds:
        return [int(scores.argmax())]
    decided = np.flatnonzero(decide(scores[np.newaxis], contract.head, contract.thresholds)[0]).tolist()
    if decided or contract.head == "multilabel":
        return list(decided)
    return [int(scores.argmax())]


@lru_cache(maxsize=1024)
def _short(name: bytes) -> bytes:
    return sha256(name).digest()[:_SHORT_BYTES]


@lru_cache(maxsize=1024)
def _labels_digest(labels: tuple[str, ...]) -> bytes:
    return sha256(json.dumps(labels).encode()).digest()[:_SHORT_BYTES]


def _text_of(signed: bytes) -> str:
    return urlsafe_b64encode(signed).decode().rstrip("=")


def _bytes_of(text: str) -> bytes:
    """Return the bytes of an id; nothing if it is no base64, or not as we write it."""
    if len(text) > MOST_LETTERS:
        return b""
    try:
        padded = text.translate(_TO_STANDARD) + "=" * (-len(text) % 4)
        signed = binascii.a2b_base64(padded, strict_mode=True)
    except ValueError:  # binascii's own error is one
        return b""
    return signed if _text_of(signed) == text else b""
