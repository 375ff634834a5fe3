"""What `pictor tfs-config` wrote is what the servers start with, and fits models, gateways and hardware."""

import pytest

from k8s.checks.reading import quantity
from k8s.rendering import K8S, of_kind
from k8s.tf_servers import CPU, GPU, KSERVE, config, objects_of, server, settings
from k8s.tfs_flags import flags_of
from pictor_contract import ImageContract
from pictor_tfs.tuning.files import METRICS_PATH
from pictor_training.config.schema import ExportConfig

everywhere = pytest.mark.parametrize("way", [CPU, GPU, KSERVE])


@everywhere
def test_threads_follow_the_request(way: str) -> None:
    """By default they follow the node's cores, which are not the container's alone."""
    flags = flags_of(server(way))
    cores = int(quantity(server(way)["resources"]["requests"]["cpu"]))
    assert (cores, cores) == (
        int(flags["tensorflow_intra_op_parallelism"]),
        int(flags["tensorflow_inter_op_parallelism"]),
    )


@pytest.mark.parametrize(("way", "folder"), [(CPU, "base/tf-serving"), (GPU, "components/gpu")])
def test_flags_are_those_that_were_generated(way: str, folder: str) -> None:
    """`pictor tfs-config` wrote them beside the files, by the same figures."""
    text = (K8S / folder / "config/flags.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    flags = flags_of(server(way))
    assert lines
    assert {line: line for line in lines} == {
        line: f"--{name}={flags[name]}" for line in lines for name in [line[2:].partition("=")[0]]
    }
    assert (K8S / folder / "config/batching.config").read_text() == config(way)["batching.config"]


@everywhere
def test_every_call_there_can_be_has_a_thread(way: str) -> None:
    """Of as many gateways as the autoscaler may start: one call more is refused at once."""
    (scaler,) = (
        one
        for one in of_kind(objects_of(way), "HorizontalPodAutoscaler")
        if one["metadata"]["name"] == "pictor-gateway"
    )
    calls = scaler["spec"]["maxReplicas"] * (settings().tfs_calls_per_server + 2)
    assert int(flags_of(server(way))["grpc_max_threads"]) >= calls + 4


def number(way: str, name: str) -> int:
    """Return a number of the batching file."""
    (line,) = (one for one in config(way)["batching.config"].splitlines() if one.startswith(f"{name} "))
    return int(line.removeprefix(f"{name} {{ value: ").removesuffix(" }"))


def sizes(way: str) -> list[int]:
    """Return the allowed batch sizes."""
    lines = config(way)["batching.config"].splitlines()
    return [
        int(line.removeprefix("allowed_batch_sizes: "))
        for line in lines
        if line.startswith("allowed_batch_sizes: ")
    ]


@everywhere
def test_the_last_allowed_size_is_the_largest_batch(way: str) -> None:
    """Otherwise no version loads."""
    assert number(way, "max_batch_size") == sizes(way)[-1]
    assert sorted(set(sizes(way))) == sizes(way)


@everywhere
def test_every_warm_up_is_answered(way: str) -> None:
    """Training writes one record for each size; the batching refuses more, and the version would not load."""
    trained_for = ExportConfig().batch_sizes
    assert set(trained_for) <= set(sizes(way))
    assert list(ImageContract.__dataclass_fields__["allowed_batch_sizes"].default) == trained_for


def test_gateways_send_no_more_than_servers_take() -> None:
    """By default as much as the contract says; a setting may only lower it."""
    most = settings().max_batch_size or ExportConfig().batch_sizes[-1]
    assert most <= min(number(way, "max_batch_size") for way in (CPU, GPU, KSERVE))


@everywhere
def test_the_queue_is_bounded(way: str) -> None:
    """The sample's million is a queue that works for callers who have gone."""
    assert number(way, "num_batch_threads") <= number(way, "max_enqueued_batches") <= 10_000
    assert 0 == number(way, "batch_timeout_micros")


@pytest.mark.parametrize(("way", "threads"), [(CPU, 2), (GPU, 2), (KSERVE, 2)])
def test_batch_threads_are_the_cores_or_two_for_a_card(way: str, threads: int) -> None:
    """Stands in a file, so it does not follow the request by itself."""
    cores = int(quantity(server(way)["resources"]["requests"]["cpu"]))
    assert threads == number(way, "num_batch_threads")
    assert way == GPU or cores == threads


@everywhere
def test_metrics_are_where_they_are_looked_for(way: str) -> None:
    """Without the file the page is a 404."""
    assert f'path: "{METRICS_PATH}"' in config(way)["monitoring.config"]
