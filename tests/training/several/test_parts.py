"""Parts of batches: each picture once, and numbers that weigh the parts so that nothing is counted twice."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pictor_training.errors import ConfigError
from pictor_training.fitting.batches import WHOLE, Examples, Part, plain_batches
from pictor_training.fitting.state import RunState
from pictor_training.several.cluster import Cluster
from pictor_training.several.start import _of_its_own, begin_alike


@pytest.mark.parametrize(("count", "workers"), [(8, 2), (7, 2), (7, 3), (3, 3), (10, 4)])
def test_parts_make_up_the_batch_and_differ_by_a_picture_at_most(count: int, workers: int) -> None:
    """In its order."""
    batch = tf.range(count) * 10
    parts = [Part(index, workers).of_batch(batch) for index in range(workers)]
    assert np.array_equal(batch, np.concatenate([rows for rows, _ in parts]))
    assert [len(rows) for rows, _ in parts] == [int(counted) for _, counted in parts]
    assert max(len(rows) for rows, _ in parts) - min(len(rows) for rows, _ in parts) <= 1


def test_a_batch_of_fewer_pictures_than_workers_is_taken_whole_by_each() -> None:
    """They stand for as many pictures as there are all the same; an empty part would have no mean."""
    parts = [Part(index, 3).of_batch(tf.constant([5, 9])) for index in range(3)]
    assert [[5, 9]] * 3 == [rows.numpy().tolist() for rows, _ in parts]
    assert sum(float(counted) for _, counted in parts) == pytest.approx(2)


def test_batches_of_a_part_say_for_how_many_pictures_they_stand() -> None:
    """Whole batches are as they always were: three columns."""
    examples = Examples(np.zeros((5, 2, 2, 3), np.uint8), np.eye(5, dtype=np.float32), np.ones(5, np.float32))
    rows = np.arange(5)
    assert [len(batch) for batch in plain_batches(examples, rows, 3, WHOLE)] == [3, 3]
    parts = [list(plain_batches(examples, rows, 3, Part(index, 2))) for index in range(2)]
    assert [[1.0, 1.0], [2.0, 1.0]] == [[float(batch[3]) for batch in batches] for batches in parts]
    seen = [
        batch[1].numpy().argmax(axis=1).tolist() for batches in zip(*parts, strict=True) for batch in batches
    ]
    assert seen == [[0], [1, 2], [3], [4]]


class Elsewhere:
    """Workers of which this one is told what worker 0 is made of: something else."""

    cluster = Cluster(("a:1", "b:1"), 1)
    count, index = 2, 1

    def told(self, arrays: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        """Return other bytes."""
        return [array ^ 1 for array in arrays]

    def add_up(self, numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Add nothing."""
        return numbers


def test_a_worker_of_another_installation_is_refused_before_anything_else_is_compared() -> None:
    """Its copy of the model would be moved otherwise, and nobody would see."""
    with pytest.raises(ConfigError, match=r"^Worker 1 \(b:1\): other versions or code than worker 0\. Start"):
        begin_alike(Elsewhere(), {}, [], RunState())  # type: ignore[arg-type]  # as much as is asked


def test_each_worker_draws_its_own_numbers_and_worker_0_those_of_one_process() -> None:
    """The seed moves, round its end if need be; the count of draws stays."""
    state = np.array([2**32 - 1, 7], np.uint32)
    moved = [_of_its_own(state, index) for index in range(3)]
    assert moved[0].tolist() == state.tolist()
    assert len({tuple(one) for one in (each.tolist() for each in moved)}) == 3
    assert {(7, "uint32")} == {(int(one[1]), str(one.dtype)) for one in moved}
