"""Prediction ids: any replica reads them, nobody else writes them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from gateway.fakes import FakeModel
from pictor_contract import EmptyPicture, ImageContract, PictureInput
from pictor_gateway.capturing.prediction_ids import MOST_LETTERS, PredictionIds, predicted_indices
from pictor_gateway.errors import PredictionNotFound
from pictor_gateway.inference.pipeline import Recognised
from pictor_store.samples import id_of

SECRET = "a secret of sixteen letters and more"  # noqa: S105 - a test's
DAY_S = 86_400.0


def _recognised(*scores: float) -> Recognised:
    return Recognised(np.array(scores, np.float32), "PNG", 8, 8, 1)


def _contract(labels: int, head: str = "multiclass", thresholds: tuple[float, ...] = ()) -> ImageContract:
    names = tuple(f"label {number}" for number in range(labels))
    return ImageContract("fake", names, head, PictureInput(8, 8), thresholds=thresholds)  # type: ignore[arg-type]  # a test's words


@pytest.fixture
def ids() -> PredictionIds:
    """Make and read ids with one secret."""
    return PredictionIds(SECRET, 30 * DAY_S)


def test_another_replica_with_the_secret_reads_an_id(ids: PredictionIds) -> None:
    """What was predicted, by which version, and what the picture would be called."""
    (issued,) = ids.issue(FakeModel(version=12), [_recognised(0.1, 0.9)])
    read = PredictionIds(SECRET, DAY_S).read(issued)
    assert (12, (1,), id_of(issued)) == (read.version, read.indices, read.sample_id)
    assert read.is_of("fake")
    assert not read.is_of("another")
    assert (True, False, False) == (read.was(["yes"]), read.was(["no"]), read.was(["yes", "no"]))


def test_a_refused_picture_has_no_id(ids: PredictionIds) -> None:
    """The others of its request have one each, never the same."""
    refused = EmptyPicture("There is nothing.")
    first, none, second = ids.issue(FakeModel(), [_recognised(1, 0), refused, _recognised(1, 0)])
    assert ("", True) == (none, first != second)


@pytest.mark.parametrize("labels", [1, 2, 24, 25, 1000])
def test_an_id_is_short_and_safe_in_a_url(ids: PredictionIds, labels: int) -> None:
    """However many labels were predicted, whatever the model's name and number."""
    contract = _contract(1000, "multilabel")
    model = FakeModel(name="n" * 64, version=2**63 - 1, contract=contract)
    scores = np.where(np.arange(1000) < labels, 1, 0).astype(np.float32)
    (issued,) = ids.issue(model, [Recognised(scores, "PNG", 8, 8, 1)])
    read = ids.read(issued)
    assert len(issued) < MOST_LETTERS
    assert issued.replace("-", "").replace("_", "").isalnum()
    assert (tuple(range(labels)) if labels <= 24 else None) == read.indices
    assert read.was(contract.labels[:labels])


def _spoilt(issued: str) -> Iterator[str]:
    signed = urlsafe_b64decode(issued + "=" * (-len(issued) % 4))
    for position in range(len(signed)):
        changed = bytearray(signed)
        changed[position] ^= 1
        yield urlsafe_b64encode(changed).decode().rstrip("=")
    yield from (issued[:-1], issued[1:], issued + "A", issued + "AAAA", issued + "=", issued * 2)
    yield from (
        "",
        "A",
        "\0",
        "röd",
        "../../etc/passwd",
        "A" * 149,
        "A" * 100_000,
        "-" * 75,
        "==",
        " " + issued,
    )


def test_a_forged_id_is_refused(ids: PredictionIds) -> None:
    """Every bit counts, and so does every letter."""
    (issued,) = ids.issue(FakeModel(), [_recognised(1, 0)])
    for text in _spoilt(issued):
        with pytest.raises(PredictionNotFound):
            ids.read(text)


def test_an_id_of_another_secret_is_refused(ids: PredictionIds) -> None:
    """One gateway's clients cannot judge another's predictions."""
    (issued,) = PredictionIds(SECRET + "!", DAY_S).issue(FakeModel(), [_recognised(1, 0)])
    with pytest.raises(PredictionNotFound, match="No prediction"):
        ids.read(issued)


def test_an_id_grows_too_old(ids: PredictionIds, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the days that are set; one from a clock that was ahead of ours is taken."""
    (issued,) = ids.issue(FakeModel(), [_recognised(1, 0)])
    predicted_s = ids.read(issued).predicted_s
    monkeypatch.setattr("pictor_gateway.capturing.prediction_ids.time", lambda: predicted_s - 10 * DAY_S)
    assert predicted_s == ids.read(issued).predicted_s
    monkeypatch.setattr("pictor_gateway.capturing.prediction_ids.time", lambda: predicted_s + 30 * DAY_S + 2)
    with pytest.raises(PredictionNotFound, match="30 days"):
        ids.read(issued)


@pytest.mark.parametrize(
    ("head", "thresholds", "scores", "expected"),
    [
        ("multiclass", (), (0.2, 0.5, 0.3), [1]),
        ("multiclass", (0.1, 0.9, 0.9), (0.2, 0.5, 0.3), [0]),  # the highest one that reaches its own
        ("multiclass", (0.9, 0.9, 0.9), (0.2, 0.5, 0.3), [1]),  # none does
        ("multilabel", (), (0.6, 0.1, 0.7), [0, 2]),
        ("multilabel", (), (0.1, 0.1, 0.2), []),
    ],
)
def test_what_an_answer_stands_for(
    head: str, thresholds: tuple[float, ...], scores: tuple[float, ...], expected: list[int]
) -> None:
    """What was decided, or else the highest score, where there must be one label."""
    found = np.array(scores, np.float32)
    assert expected == predicted_indices(_contract(3, head, thresholds), found)


def test_labels_in_another_order_are_the_same(ids: PredictionIds) -> None:
    """A later version may sort its labels otherwise; right and wrong do not hang on indices."""
    model = FakeModel(contract=_contract(3, "multilabel"))
    (issued,) = ids.issue(model, [_recognised(0.9, 0.1, 0.8)])
    assert ids.read(issued).was(["label 2", "label 0"])
    turned = replace(model, contract=replace(model.contract, labels=("label 2", "label 1", "label 0")))
    (other,) = ids.issue(turned, [_recognised(0.8, 0.1, 0.9)])
    assert ids.read(other).was(["label 0", "label 2"])
