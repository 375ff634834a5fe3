"""A model that knows what it was trained on, and pictures like those and unlike them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from colours import colour_scores, make_contract
from photos import Photo, draw_pictures, statistics_of
from pictor_contract import ImageContract, decode_picture

SHARPNESS = 20.0
"""That of version 2."""

Send = Callable[..., None]


def _trained_on(pictures: Sequence[bytes]) -> Callable[[ImageContract], ImageContract]:
    contract = make_contract("colours", SHARPNESS)
    decoded = [decode_picture(one, contract.input) for one in pictures]
    scores = colour_scores(np.stack([one.pixels for one in decoded]), SHARPNESS)
    photos = [
        Photo(one.pixels, (one.width, one.height), answer)
        for one, answer in zip(decoded, scores, strict=True)
    ]
    statistics = statistics_of(photos)
    return lambda contract: replace(contract, statistics=statistics)


@pytest.fixture(scope="session")
def trained() -> Callable[[ImageContract], ImageContract]:
    """Give a contract the statistics of 400 drawn pictures."""
    return _trained_on(draw_pictures(1, 400))


@pytest.fixture
def send() -> Send:
    """Send pictures, several in each request: `send(gateway, pictures, version=2)`."""

    def post(gateway: Any, pictures: Sequence[bytes], **query: Any) -> None:
        for start in range(0, len(pictures), 10):
            files = [("files", one) for one in pictures[start : start + 10]]
            gateway.http.post("/v1/classify", files=files, params=query).raise_for_status()

    return post


@pytest.fixture
def drift_of(eventually: Callable[..., None]) -> Callable[..., dict[str, Any]]:
    """Return what a gateway says of a version once it has compared so many pictures."""

    def read(gateway: Any, pictures: int, version: int = 1) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def arrived() -> bool:
            told = gateway.http.get("/v1/drift").raise_for_status().json()["models"]
            found.update(next(one for one in told if one["version"] == version))
            return bool(found["pictures"] == pictures)

        eventually(arrived)
        return found

    return read
