"""The files as TensorFlow Serving would read them, and those in the repository as their heads say."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner
from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from pictor_tfs.tuning.cli import tfs_config
from pictor_tfs.tuning.figures import Figures, read_figures

K8S: Final = Path(__file__).parents[2] / "k8s"
COMMITTED: Final = ("base/tf-serving/config", "components/gpu/config")

INT64, STRING = "google.protobuf.Int64Value", "google.protobuf.StringValue"
BATCHING: Final[dict[str, tuple[int, str]]] = {
    "max_batch_size": (1, INT64),
    "batch_timeout_micros": (2, INT64),
    "max_enqueued_batches": (3, INT64),
    "num_batch_threads": (4, INT64),
    "thread_pool_name": (5, STRING),
    "allowed_batch_sizes": (6, "int64"),
    "pad_variable_length_inputs": (7, "bool"),
}
"""Fields of BatchingParameters in tensorflow_serving/servables/tensorflow/session_bundle_config.proto, which
tensorflow-serving-api does not bring."""
MONITORING: Final[dict[str, tuple[int, str]]] = {"enable": (1, "bool"), "path": (2, "string")}
"""Fields of PrometheusConfig in tensorflow_serving/config/monitoring_config.proto."""

FiguresOf = Callable[..., Figures]


def message_of(fields: dict[str, tuple[int, str]]) -> Any:
    """Make an empty message with these fields; others are refused in its text, as the server refuses them."""
    from google.protobuf import wrappers_pb2  # noqa: PLC0415 - its descriptor, not its classes

    file = FileDescriptorProto(name="theirs.proto", package="theirs", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    message = file.message_type.add(name="Theirs")
    plain = {
        "int64": FieldDescriptorProto.TYPE_INT64,
        "bool": FieldDescriptorProto.TYPE_BOOL,
        "string": FieldDescriptorProto.TYPE_STRING,
    }
    for name, (number, kind) in fields.items():
        one = message.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
        if kind in plain:
            one.type = plain[kind]
        else:
            one.type, one.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{kind}"
        if name.endswith("sizes"):
            one.label = FieldDescriptorProto.LABEL_REPEATED
    pool = DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("theirs.Theirs"))()


def batching(text: str) -> Any:
    """Read a batching file as strictly as TensorFlow Serving does."""
    return text_format.Parse(text, message_of(BATCHING))


def run(*words: str) -> Any:
    """Type `pictor tfs-config`."""
    return CliRunner().invoke(tfs_config, list(words))


@pytest.fixture(name="written")
def _written(figures_of: FiguresOf, tmp_path: Path) -> Path:
    figures = tmp_path / "figures.json"
    figures.write_text(figures_of().to_json())
    done = run("--figures", str(figures), "--out", str(tmp_path / "out"), "--cpus", "2")
    assert 0 == done.exit_code, done.output
    return tmp_path / "out"


def test_the_batching_file_is_one_for_tensorflow_serving(written: Path) -> None:
    """It knows every field, and the last allowed size is the largest batch."""
    read = batching((written / "batching.config").read_text())
    assert [1, 2, 4, 8, 16, 32] == list(read.allowed_batch_sizes)
    assert (32, 0, 2) == (
        read.max_batch_size.value,
        read.batch_timeout_micros.value,
        read.num_batch_threads.value,
    )
    assert read.max_enqueued_batches.value == 127


def test_a_zero_is_written_out(written: Path) -> None:
    """Without a word the server would take a default of its own."""
    read = batching((written / "batching.config").read_text())
    assert read.HasField("batch_timeout_micros")


def test_an_unknown_field_would_be_noticed() -> None:
    """The server ends at its start for one."""
    with pytest.raises(text_format.ParseError):
        batching("batch_timeout_ms { value: 1 }")


def test_the_monitoring_file_opens_the_page_where_gateways_look(written: Path) -> None:
    """Without it the address answers 404."""
    found = re.search(r"prometheus_config (\{.*\})", (written / "monitoring.config").read_text(), re.DOTALL)
    assert found is not None
    read = text_format.Parse(found[1].strip("{}"), message_of(MONITORING))
    assert (True, "/monitoring/prometheus/metrics") == (read.enable, read.path)


def test_flags_stand_a_line_each(written: Path) -> None:
    """Batching is nothing without its own."""
    lines = (written / "flags.txt").read_text().splitlines()
    assert [
        "--enable_batching=true",
        "--grpc_max_threads=64",
        "--rest_api_num_threads=4",
        "--tensorflow_intra_op_parallelism=2",
        "--tensorflow_inter_op_parallelism=2",
    ] == [line for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("folder", COMMITTED)
def test_committed_files_are_what_their_heads_say(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command in the head, run beside the file, writes the same bytes; every file has the same head."""
    shutil.copytree(K8S, tmp_path / "k8s")
    copied = tmp_path / "k8s" / folder
    before = {path.name: path.read_bytes() for path in copied.iterdir() if path.name != "figures.json"}
    heads = {content.decode().splitlines()[0] for content in before.values()}
    assert 1 == len(heads), heads
    words = shlex.split(heads.pop().removeprefix("# Written by: "))
    for name in before:
        (copied / name).unlink()
    monkeypatch.chdir(copied)
    done = run(*words[2:])

    assert 0 == done.exit_code, done.output
    assert ["pictor", "tfs-config"] == words[:2]
    assert before == {name: (copied / name).read_bytes() for name in before}


def test_the_committed_figures_say_what_they_are_of() -> None:
    """Nobody takes them for a GPU's, or for TensorFlow Serving's."""
    figures = read_figures(K8S / COMMITTED[0] / "figures.json")
    assert "not TensorFlow Serving" in figures.server
    assert (128, 128, 3) == figures.input
    assert [1, 2, 4, 8, 16, 32] == [timing.pictures for timing in figures.timings]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--figures", "figures.json"], "Say what to do"),
        (["--figures", "nowhere.json", "--out", "out"], "cannot be used"),
        (["--figures", "figures.json", "--out", "out", "--latency-ms", "1"], "One picture took 10 ms"),
        (["--figures", "figures.json", "--out", "figures.json/out"], "figures.json"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    words: list[str], says: str, figures_of: FiguresOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is written."""
    monkeypatch.chdir(tmp_path)
    Path("figures.json").write_text(figures_of().to_json())
    done = run(*words)

    assert 0 != done.exit_code
    assert says in done.output
    assert not Path("out").exists()


@pytest.mark.parametrize("flag", ["--latency-ms", "--deadline-ms"])
@pytest.mark.parametrize("time", ["nan", "inf", "0", "1e18"])
def test_a_time_that_is_none_is_refused(flag: str, time: str, tmp_path: Path) -> None:
    """As wrong usage, before anything is read."""
    typed = ["--figures", str(tmp_path / "figures.json"), "--out", str(tmp_path), flag, time]

    assert 2 == CliRunner().invoke(tfs_config, typed).exit_code
