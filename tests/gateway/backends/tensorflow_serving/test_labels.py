"""Version labels that requests name, the honest and the invented ones."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from pictor_gateway.backends.tensorflow_serving.labels import LabelList

Make = Callable[..., Any]
Classify = Callable[..., httpx.Response]


def test_new_labels_that_come_at_once_are_all_learnt(
    tfs: Make, make_tfs_gateway: Make, classify: Classify
) -> None:
    """Each with its version; requests that name the same one share the question."""
    server = tfs(versions=(1, 2))
    gateway = make_tfs_gateway(server)
    versions = {"gold": 1, "silver": 2, "bronze": 1}
    for label, version in versions.items():
        server.label(label, version)
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda label: classify(gateway, label=label), list(versions) * 4))
    assert [answer.json()["model"]["version"] for answer in answers] == list(versions.values()) * 4


def test_invented_labels_reach_the_server_a_few_times_only() -> None:
    """So many a second, however many are invented; what a label cannot look like is never asked."""
    labels = LabelList(("stable",))
    asked = 0
    for number in range(10_000):
        if labels.is_worth_asking(f"invented{number}"):
            labels.deny(f"invented{number}")
            asked += 1
    assert asked <= 64
    assert labels.is_worth_asking("stable")
    assert not LabelList(()).is_worth_asking("x" * 65)
    assert not LabelList(()).is_worth_asking("a b")


def test_a_number_and_a_label_together_are_refused(
    tfs: Make, make_tfs_gateway: Make, classify: Classify
) -> None:
    """One of them would have to be passed over."""
    answer = classify(make_tfs_gateway(tfs()), version=1, label="stable")
    assert (422, "parameter_invalid") == (answer.status_code, answer.json()["code"])
