"""From scores to the labels that are answered."""

import numpy as np
import pytest

from pictor_contract.contract import Head
from pictor_contract.decision import decide


@pytest.mark.parametrize(
    ("head", "scores", "thresholds", "expected"),
    [
        ("multiclass", [0.2, 0.5, 0.3], (), [False, True, False]),
        ("multiclass", [0.3, 0.4, 0.3], (0.3, 0.5, 0.3), [True, False, False]),
        ("multiclass", [0.3, 0.4, 0.3], (0.5, 0.5, 0.5), [False, False, False]),
        ("multiclass", [0.25, 0.25, 0.25], (), [True, False, False]),
        ("binary", [0.4, 0.6], (0.5, 0.5), [False, True]),
        ("binary", [0.5, 0.5], (0.5, 0.5), [True, False]),
        ("binary", [0.3, 0.7], (0.2, 0.8), [True, False]),
        ("multilabel", [0.5, 0.49, 0.9], (), [True, False, True]),
        ("multilabel", [0.5, 0.49, 0.9], (0.6, 0.4, 1.0), [False, True, False]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_rule_of_each_head(
    head: Head,
    scores: list[float],
    thresholds: tuple[float, ...],
    expected: list[bool],
    dtype: type[np.floating],
) -> None:
    """Thresholds are reached by equality; of equal scores the first is answered; none is a fair answer."""
    assert [expected] == decide(np.array([scores], dtype), head, thresholds).tolist()
