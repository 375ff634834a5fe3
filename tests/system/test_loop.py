"""The whole loop: class folders in, an answer over HTTP out."""

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from click.testing import CliRunner

from pictor_training.demo import cli

RUN_FILES = {
    "audit.json",
    "config.resolved.yaml",
    "environment.json",
    "history.csv",
    "metrics.json",
    "model.h5",
    "model.keras",
    "published.json",
    "report.html",
}
VERSION_FILES = {
    "saved_model.pb",
    "variables/variables.index",
    "assets.extra/contract.json",
    "assets.extra/model.onnx",
    "assets.extra/tf_serving_warmup_requests",
    "assets.extra/MANIFEST.sha256",
}


def test_a_run_leaves_what_it_promises(trained: Any) -> None:
    """Every file of the run's folder is there, and the checkpoints are gone."""
    names = {path.name for path in trained.run.iterdir() if not path.name.startswith(".")}
    assert RUN_FILES == names


def test_a_published_version_is_complete_and_verifies(trained: Any) -> None:
    """The version holds the model in every form, and sha256sum agrees with its manifest."""
    version = trained.models / "shapes" / "1"
    present = {path.relative_to(version).as_posix() for path in version.rglob("*") if path.is_file()}
    assert VERSION_FILES <= present
    subprocess.run(["sha256sum", "-c", "--quiet", "assets.extra/MANIFEST.sha256"], cwd=version, check=True)


def test_the_terminal_tells_result_version_and_report(trained: Any) -> None:
    """Whoever waited reads how good it is and where to look."""
    assert all(word in trained.printed for word in ("accuracy", "shapes/1", "report.html"))


def test_metrics_count_every_held_out_picture_once(trained: Any) -> None:
    """The confusion matrix sums to the test pictures of the audit."""
    metrics = json.loads((trained.run / "metrics.json").read_text())
    audit = json.loads((trained.run / "audit.json").read_text())
    held_out = sum(counts["test"] for counts in audit["counts"].values())
    assert held_out == metrics["test"]["count"] == sum(map(sum, metrics["test"]["confusion"]))


def test_the_contract_tells_what_the_pictures_were_like(trained: Any) -> None:
    """Brightness, sharpness and size of every picture used; answers of those held out."""
    contract = json.loads((trained.models / "shapes" / "1" / "assets.extra" / "contract.json").read_text())
    counts = json.loads((trained.run / "audit.json").read_text())["counts"].values()
    statistics = contract["statistics"]
    assert sum(sum(sides.values()) for sides in counts) == statistics["pictures"]
    assert sum(sides["val"] + sides["test"] for sides in counts) == statistics["held_out"]
    assert 1.0 == max(statistics["size"])  # all have 32 x 32 pixels


def test_the_gateway_answers_for_the_trained_model(trained: Any, serving: Any, pictor: Any) -> None:
    """A picture sent raw, as a form and by `pictor predict` gets one and the same answer."""
    picture = next((trained.pictures / "dots").iterdir())
    with serving(trained.models) as (url, _):
        (drift,) = httpx.get(f"{url}/v1/drift").json()["models"]
        raw = httpx.post(f"{url}/v1/classify", content=picture.read_bytes()).json()
        form = httpx.post(f"{url}/v1/classify", files={"file": picture.read_bytes()}).json()
        printed = json.loads(pictor("predict", str(picture), "--url", url, cwd=trained.folder).stdout)
    assert (True, "shapes", None) == (drift["comparable"], drift["name"], drift["score"])
    assert raw["predictions"] == form["predictions"] == printed["predictions"]
    assert ("shapes", {"bars", "dots"}) == (
        raw["model"]["name"],
        {one["label"] for one in raw["predictions"]},
    )
    assert 1.0 == pytest.approx(sum(one["score"] for one in raw["predictions"]), abs=1e-5)


def test_a_manifest_with_several_labels_reaches_the_answer(
    pictures: Path, tmp_path: Path, pictor: Any, serving: Any, quick: tuple[str, ...]
) -> None:
    """A CSV of multi-label rows trains; the gateway decides each label, several pictures per call."""
    labels = {"bars": "bars|noisy", "dots": "dots|noisy"}
    rows = [
        f"{path.relative_to(pictures)},{labels[path.parent.name]}" for path in sorted(pictures.rglob("*.png"))
    ]
    manifest = tmp_path / "labels.csv"
    manifest.write_text("\n".join(["path,label", *rows]))
    pictor("train", "--data", str(pictures), "--manifest", str(manifest), *quick, cwd=tmp_path)
    two = [("files", next((pictures / name).iterdir()).read_bytes()) for name in labels]
    with serving(tmp_path / "models") as (url, _):
        (model,) = httpx.get(f"{url}/v1/models").json()["models"]
        answer = httpx.post(f"{url}/v1/classify", files=two).json()
    assert ("multilabel", ["bars", "dots", "noisy"]) == (
        model["versions"][0]["head"],
        model["versions"][0]["labels"],
    )
    assert [True, True] == ["noisy" in result["decision"] for result in answer["results"]]


def test_a_new_version_is_picked_up_and_sigterm_ends_with_zero(
    trained: Any, serving: Any, tmp_path: Path
) -> None:
    """A version that appears is served without a restart; SIGTERM drains and exits 0."""
    models = tmp_path / "models"
    shutil.copytree(trained.models, models)
    picture = next((trained.pictures / "bars").iterdir()).read_bytes()
    with serving(models, "--poll-interval-s", "0.05", "--drain-s", "0") as (url, process):
        shutil.copytree(models / "shapes" / "1", models / "shapes" / ".staging")
        (models / "shapes" / ".staging").rename(models / "shapes" / "2")
        versions = {"1"}
        while "2" not in versions:  # the test's own timeout ends it
            answer = httpx.post(f"{url}/v1/classify", content=picture)
            assert 200 == answer.status_code
            versions = {str(answer.json()["model"]["version"])}
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(timeout=20)


@pytest.mark.timeout(600)
def test_the_demo_keeps_what_the_readme_promises(tmp_path: Path, pictor: Any, serving: Any) -> None:
    """The whole demo: a good network, a right answer, quiet output, a light gateway without TensorFlow."""
    done = pictor("demo", "--once", "--port", "0", cwd=tmp_path)
    (run,) = (tmp_path / "demo" / "runs").glob("*-digits")
    metrics = json.loads((run / "metrics.json").read_text())
    assert 0.985 <= metrics["test"]["accuracy"]["value"]
    assert '"decision": [\n    "0"\n  ]' in done.stdout
    assert "report.html" in done.stdout
    assert [] == [line for line in done.stderr.splitlines() if re.match(r"[IWE]0000 |WARNING", line)]
    with serving(tmp_path / "demo" / "models") as (url, process):
        picture = next((tmp_path / "demo" / "held-out").iterdir()).read_bytes()
        assert 200 == httpx.post(f"{url}/v1/classify", content=picture).status_code
        assert 200e6 >= psutil.Process(process.pid).memory_info().rss
        assert "tensorflow" not in Path(f"/proc/{process.pid}/maps").read_text()


@pytest.mark.parametrize("missing", ["curl", "fastapi"])
def test_the_demo_refuses_before_it_trains(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What would fail after the training is said before it."""
    monkeypatch.setattr(cli.shutil, "which", lambda name: None if name == missing else name)
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == missing else object())
    outcome = CliRunner().invoke(cli.demo, ["--folder", str(tmp_path / "demo")])
    assert (1, True) == (outcome.exit_code, missing.replace("fastapi", "serving") in outcome.stderr)
    assert [] == list(tmp_path.iterdir())
