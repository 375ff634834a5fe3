"""Which pictures are captured: by chance, the least certain, and only where it is allowed."""

from random import Random

import numpy as np
import pytest

from gateway.fakes import FakeModel
from pictor_contract import ImageContract, PictureInput
from pictor_gateway.capturing.certainty import LeastCertain, certainty_of
from pictor_gateway.capturing.choice import Choice


@pytest.mark.parametrize(
    ("needs_consent", "said", "allowed"),
    [
        (False, None, True),
        (False, "yes", True),
        (False, "no", False),
        (False, "No ", False),
        (False, "perhaps", False),
        (True, None, False),
        (True, "", False),
        (True, "no", False),
        (True, "yes", True),
        (True, " YES ", True),
        (True, "yes, please", False),
    ],
)
def test_a_no_holds_always_and_a_yes_may_be_asked_for(
    needs_consent: bool, said: str | None, allowed: bool
) -> None:
    """Whatever is neither is no consent."""
    headers = {} if said is None else {"x-capture-consent": said}
    assert allowed == Choice(1.0, 0.0, needs_consent=needs_consent).allows(headers)


def test_a_rate_is_a_share_of_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """One picture in ten, by chance."""
    monkeypatch.setattr("pictor_gateway.capturing.choice.random", Random(7).random)  # noqa: S311 - a test's chance
    choice, scores = Choice(0.1, 0.0, needs_consent=False), np.array([0.4, 0.6], np.float32)
    chosen = [choice.of(FakeModel(), scores) for _ in range(5000)]
    assert {None, "sampled"} == set(chosen)
    assert 400 < chosen.count("sampled") < 600


def test_the_least_certain_share_is_found() -> None:
    """Of 5,000 answers of random certainty some 2 % are kept, all of them at the lower end."""
    random, least = Random(7), LeastCertain(0.02)  # noqa: S311 - a test's chance
    noted = [(certainty, least.note(certainty)) for certainty in (random.random() for _ in range(5000))]
    kept = [certainty for certainty, chosen in noted if chosen]
    assert 50 < len(kept) < 160
    assert max(kept) < 0.06
    assert not any(chosen for _, chosen in noted[:199])


def test_equal_certainties_are_not_all_the_least() -> None:
    """A model that is always certain gives nothing to look at; a share of one gives all."""
    least, all_of_them = LeastCertain(0.05), LeastCertain(1.0)
    assert not any(least.note(1.0) for _ in range(1000))
    assert all(all_of_them.note(1.0) for _ in range(300))


def test_a_model_that_becomes_uncertain_does_not_flood_for_long() -> None:
    """The bound follows within the window."""
    least = LeastCertain(0.01)
    for _ in range(1000):
        least.note(0.9)
    assert sum(least.note(0.1) for _ in range(3000)) < 50


@pytest.mark.parametrize(
    ("head", "thresholds", "scores", "certainty"),
    [
        ("binary", (), (0.5, 0.5), 0.0),
        ("multiclass", (), (0.2, 0.1, 0.7), 0.5),
        ("multilabel", (), (0.9, 0.45, 0.0), 0.05),
        ("multilabel", (0.9, 0.2, 0.5), (0.9, 0.45, 0.0), 0.0),
    ],
)
def test_certainty_is_the_distance_from_another_answer(
    head: str, thresholds: tuple[float, ...], scores: tuple[float, ...], certainty: float
) -> None:
    """Between the two highest scores, or from the threshold that is closest."""
    labels = tuple("abc"[: len(scores)])
    contract = ImageContract("m", labels, head, PictureInput(8, 8), thresholds=thresholds)  # type: ignore[arg-type]  # a test's words
    assert certainty == pytest.approx(certainty_of(contract, np.array(scores, np.float32)))
