"""TF_CONFIG: what is understood, and what is refused before any work."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pictor_training.cli import train
from pictor_training.errors import ConfigError
from pictor_training.retraining.cli import retrain
from pictor_training.several.cluster import Cluster, read_cluster, refuse_cluster, refuse_small_batch

TWO = ["a.example:2222", "b.example:2222"]


def tf_config(workers: Any = TWO, task: Any = None) -> dict[str, str]:
    """Return an environment with TF_CONFIG alone."""
    task = {"type": "worker", "index": 1} if task is None else task
    return {"TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": task})}


def test_workers_and_the_own_index_are_read() -> None:
    """Other keys, which TensorFlow's own tools write, do no harm."""
    assert Cluster(tuple(TWO), 1) == read_cluster(tf_config())
    text = json.dumps({**json.loads(tf_config()["TF_CONFIG"]), "environment": "cloud"})
    cluster = read_cluster({"TF_CONFIG": text})
    assert cluster is not None
    assert (2, False, "worker 1 (b.example:2222)") == (cluster.count, cluster.leads, cluster.name_of(1))


@pytest.mark.parametrize(
    "environment",
    [{}, {"TF_CONFIG": ""}, {"TF_CONFIG": "{}"}, tf_config(["a:1"], {"type": "worker", "index": 0})],
)
def test_one_worker_or_none_trains_alone(environment: dict[str, str]) -> None:
    """As if the variable were not there."""
    assert read_cluster(environment) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("[]", 'has no "cluster"'),
        ('{"cluster": {"worker": []}}', "has no list of workers"),
        ('{"cluster": {"worker": "a:1"}}', "has no list of workers"),
        ('{"cluster": {"chief": ["c:1"], "worker": ["a:1"]}}', "names 'chief' in its cluster"),
        ('{"cluster": {"ps": ["c:1"], "worker": ["a:1", "b:1"]}}', "names 'ps' in its cluster"),
        (tf_config(["a", "b:1"])["TF_CONFIG"], "has 'a' where host:port is wanted"),
        (tf_config(["a:0", "b:1"])["TF_CONFIG"], "has 'a:0' where host:port is wanted"),
        (tf_config(["http://a:1", "b:1"])["TF_CONFIG"], "has 'http://a:1' where host:port is wanted"),
        (tf_config(["a b:1", "b:1"])["TF_CONFIG"], "has 'a b:1' where host:port is wanted"),
        (tf_config(["a:655360", "b:1"])["TF_CONFIG"], "has 'a:655360' where host:port is wanted"),
        (tf_config([1, "b:1"])["TF_CONFIG"], "has 1 where host:port is wanted"),
        (tf_config(["a:1", "a:1"])["TF_CONFIG"], "names a:1 twice"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}}', 'has no "task"'),
        (tf_config(task={"type": "evaluator", "index": 0})["TF_CONFIG"], "gives the task type 'evaluator'"),
        (tf_config(task={"type": "chief", "index": 0})["TF_CONFIG"], "gives the task type 'chief'"),
        (
            tf_config(task={"type": "worker", "index": 2})["TF_CONFIG"],
            "gives the index 2; there are workers 0 to 1",
        ),
        (tf_config(task={"type": "worker", "index": "1"})["TF_CONFIG"], "gives the index '1'"),
        (tf_config(task={"type": "worker", "index": True})["TF_CONFIG"], "gives the index True"),
        (tf_config(task={"type": "worker"})["TF_CONFIG"], "gives the index None"),
    ],
)
def test_anything_else_is_refused_with_an_example(text: str, said: str) -> None:
    """The message quotes what was received and shows what is wanted."""
    with pytest.raises(ConfigError) as refused:
        read_cluster({"TF_CONFIG": text})
    assert f"TF_CONFIG {said}" in str(refused.value)
    assert f"Received: {text}" in str(refused.value)
    assert 'Wanted, for example: {"cluster": {"worker": ["host-a:2222"' in str(refused.value)


def test_the_command_ends_with_2_before_any_work(tmp_path: Path) -> None:
    """No folder is made."""
    environment = {"TF_CONFIG": tf_config(task={"type": "worker", "index": 9})["TF_CONFIG"]}
    done = CliRunner().invoke(train, ["--data", "none", "--runs", str(tmp_path / "runs")], env=environment)
    assert done.exit_code == 2
    assert "pictor train: TF_CONFIG gives the index 9" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_batch_that_does_not_reach_all_workers_is_refused(tmp_path: Path) -> None:
    """By the command too, before the pictures are looked for."""
    refuse_small_batch(2, 2)
    with pytest.raises(ConfigError, match=r"fit\.batch_size is 1, and 2 workers .* to 2 or more"):
        refuse_small_batch(1, 2)
    arguments = ["--data", "none", "--in", str(tmp_path / "run"), "fit.batch_size=1"]
    for index in (0, 1):
        environment = tf_config(task={"type": "worker", "index": index})
        done = CliRunner().invoke(train, arguments, env=environment)
        assert (done.exit_code, list(tmp_path.iterdir())) == (2, [])
        assert "fit.batch_size is 1" in done.stderr


def test_a_command_that_works_alone_refuses_company() -> None:
    """And leaves a lone worker be."""
    refuse_cluster({}, "pictor retrain")
    with pytest.raises(ConfigError, match=r"names 2 workers; pictor retrain trains in one process\. Unset"):
        refuse_cluster(tf_config(), "pictor retrain")
    done = CliRunner().invoke(retrain, ["--config", "none.yaml"], env=tf_config())
    assert done.exit_code == 2
    assert "pictor retrain: TF_CONFIG names 2 workers" in done.stderr
