"""What parity refuses, shown with ten-line engines."""

from collections.abc import Callable

import numpy as np
import pytest

from pictor_contract import ImageContract, PictureInput
from pictor_contract.signature import TOLERANCE
from pictor_training.errors import ParityError
from pictor_training.export.parity import Pictures, Scores, answers_of, compare, probe_batches

CONTRACT = ImageContract(
    name="pets",
    labels=("cat", "dog"),
    head="multiclass",
    input=PictureInput(height=4, width=4),
    allowed_batch_sizes=(1, 7),
)
GOLDEN = np.full((4, 4, 3), 100, np.uint8)
BATCHES = probe_batches(GOLDEN, max_batch=7)


def by_brightness(pictures: Pictures) -> Scores:
    """Answer as an honest engine: from each picture alone."""
    bright = pictures.mean(axis=(1, 2, 3)) / 255
    return np.stack([bright, 1 - bright], axis=1)


def test_the_probes_are_the_golden_picture_and_seeded_others() -> None:
    """Batches of 1, 3 and the largest size, each led by the golden picture, no two alike, always the same."""
    again = probe_batches(GOLDEN, max_batch=7)

    assert [len(batch) for batch in BATCHES] == [1, 3, 7]
    assert all(np.array_equal(batch[0], GOLDEN) for batch in BATCHES)
    assert len({picture.tobytes() for picture in BATCHES[-1]}) == 7
    assert all(np.array_equal(one, other) for one, other in zip(BATCHES, again, strict=True))


def test_a_largest_batch_of_1_is_probed_with_3_as_well() -> None:
    """A server may be configured with larger batches than were warmed up."""
    assert [len(batch) for batch in probe_batches(GOLDEN, max_batch=1)] == [1, 3]


def test_equal_engines_give_a_report_of_every_pair() -> None:
    """The report holds the largest difference of each pair and what it was measured on."""
    honest = answers_of("honest", by_brightness, BATCHES, CONTRACT)
    near = answers_of("near", lambda pictures: by_brightness(pictures) + 5e-7, BATCHES, CONTRACT)
    report = compare({"a": honest, "b": honest, "c": near})

    assert list(report.differences) == ["a = b", "a = c", "b = c"]
    assert report.differences["a = b"] == 0
    assert report.differences["a = c"] == pytest.approx(5e-7)
    assert report.to_dict() == {
        "tolerance": TOLERANCE,
        "batch_sizes": (1, 3, 7),
        "differences": report.differences,
    }


def test_different_engines_are_named_with_their_difference() -> None:
    """The message says which pair, and by how much, also when one picture alone differs."""
    honest = answers_of("honest", by_brightness, BATCHES, CONTRACT)
    wrong = [scores.copy() for scores in honest]
    wrong[-1][-1] += [0.02, -0.02]

    apart = (
        r"equal within 1e-04 differ: keras = onnx by 2\.0e-02, h5 = onnx by 2\.0e-02\. Nothing was exported"
    )
    with pytest.raises(ParityError, match=apart):
        compare({"keras": honest, "h5": honest, "onnx": wrong})


def test_an_engine_that_rolls_dice_is_refused() -> None:
    """Augmentation left active is found by asking twice."""
    dice = np.random.default_rng(1)

    def random(pictures: Pictures) -> Scores:
        return by_brightness(dice.permutation(pictures))

    with pytest.raises(ParityError, match="random answers the same pictures differently when asked twice"):
        answers_of("random", random, BATCHES, CONTRACT)


def test_an_engine_whose_answer_depends_on_the_neighbours_is_refused() -> None:
    """Batch statistics left active would give every caller an answer that depends on the others' pictures."""

    def relative(pictures: Pictures) -> Scores:
        bright = pictures.mean(axis=(1, 2, 3)) / 255 / (1 + pictures.mean() / 255)
        return np.stack([bright, 1 - bright], axis=1)

    with pytest.raises(
        ParityError, match=r"relative gives a picture other scores \(by .*\) when others share"
    ):
        answers_of("relative", relative, BATCHES, CONTRACT)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda scores: scores * np.nan, "no finite numbers"),
        (lambda scores: scores[:, :1], r"scores of shape \(1, 1\); by the contract it must be \(1, 2\)"),
        (lambda scores: scores[:-1], r"scores of shape \(0, 2\)"),
        (lambda scores: scores * 1.01, "do not add up to 1"),
    ],
)
def test_answers_that_are_no_scores_are_refused(spoil: Callable[[Scores], Scores], complaint: str) -> None:
    """Not finite, too few, or not adding up to 1."""
    with pytest.raises(ParityError, match=complaint):
        answers_of("spoilt", lambda pictures: spoil(by_brightness(pictures)), BATCHES, CONTRACT)
