"""Retraining without TensorFlow: coloured pictures, a network that remembers mean colours, a gate that obeys.

All else is real: folders, store, history, locks. Used by the tests of retraining, and by programs that they
kill.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import yaml
from PIL import Image

from pictor_contract import ImageContract, PictureInput, decode
from pictor_contract.artifact import CONTRACT_FILE, write_manifest
from pictor_store.changes import promote, prune, sync
from pictor_store.models.store import open_store
from pictor_training.plan import Plan
from pictor_training.release import Exported, Release
from pictor_training.retraining.collecting.picture import Picture
from pictor_training.retraining.job import retrain
from pictor_training.retraining.loading import load_retrain_config
from pictor_training.retraining.outcome import Outcome
from pictor_training.retraining.tools import Tools
from pictor_training.run_folder import ARTIFACT_FOLDER, CHECKPOINT_FILE, REPORT_FILE, held
from pictor_training.verdict import Check, Verdict

COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200), "grey": (130, 130, 130)}
NAME = "colours"
MEANS_FILE = "assets.extra/means.json"
INPUT = PictureInput(height=8, width=8)


class Silent:
    """Stages that nobody watches; the lines are kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show nothing."""

    def line(self, text: str) -> None:
        """Keep it."""
        self.lines.append(text)

    def end(self) -> None:
        """Nothing to end."""


def write_pictures(
    folder: Path, colour: str, count: int, start: int = 0, *, label: str | None = None
) -> Path:
    """Write different pictures of `colour` into the class folder of `label`, by default the colour's own."""
    target = folder / (label or colour)
    target.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        random = np.random.default_rng([number, *COLOURS[colour]])
        levels = random.normal(COLOURS[colour], 25, (8, 8, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(levels).save(target / f"{colour}-{number}.png")
    return target


def train_by_colour(plan: Plan, release: Release) -> None:
    """Do what `launch` does with a plan, in miniature."""
    with held(plan.folder):
        checkpoint = plan.folder / CHECKPOINT_FILE
        checkpoint.parent.mkdir(exist_ok=True)
        checkpoint.write_text("as far as it came")
        data = _prepare(plan)
        contract = _export(plan, data)
        (plan.folder / REPORT_FILE).write_text("trained")
        recalls = [SimpleNamespace(label=label, correct=9, support=10) for label in contract.labels]
        judgement = SimpleNamespace(test=SimpleNamespace(classes=recalls))
        parts: Any = (contract, data, judgement, Silent())
        released = release(Exported(plan.folder, plan.folder / ARTIFACT_FOLDER, *parts))
        (plan.folder / REPORT_FILE).write_text(f"released {released.version}")
        shutil.rmtree(plan.folder / CHECKPOINT_FILE.split("/")[0])


def _prepare(plan: Plan) -> Any:
    once: dict[str, Any] = {}
    for example in plan.source.examples:
        content = sha256(example.path.read_bytes()).hexdigest()
        if content == example.content:  # else it changed since it was collected
            once[content] = example
    contents = tuple(sorted(once))
    sides = np.array([int(content[:2], 16) % 10 for content in contents])
    labels = plan.source.labels
    return SimpleNamespace(
        labels=labels,
        contents=contents,
        paths=tuple(plan.source.name_of(once[content]) for content in contents),
        targets=np.array([[label in once[content].labels for label in labels] for content in contents]),
        pictures=np.stack(
            [decode(once[content].path.read_bytes(), _contract(labels, "")) for content in contents]
        ),
        train=np.flatnonzero(sides < 6),
        val=np.flatnonzero((sides >= 6) & (sides < 8)),
        test=np.flatnonzero(sides >= 8),
    )


def _export(plan: Plan, data: Any) -> ImageContract:
    means = {
        label: data.pictures[data.targets[:, column]].mean(axis=(0, 1, 2)).tolist()
        for column, label in enumerate(data.labels)
    }
    text = json.dumps(means)
    artifact = plan.folder / ARTIFACT_FOLDER
    shutil.rmtree(artifact, ignore_errors=True)
    (artifact / MEANS_FILE).parent.mkdir(parents=True)
    (artifact / MEANS_FILE).write_text(text)
    contract = _contract(data.labels, sha256(text.encode()).hexdigest())
    (artifact / CONTRACT_FILE).write_text(contract.to_json())
    write_manifest(artifact)
    return contract


def _contract(labels: Sequence[str], weights: str) -> ImageContract:
    return ImageContract(
        name=NAME,
        labels=tuple(labels),
        head="multiclass",
        input=INPUT,
        weights_sha256=weights,
        metrics={"accuracy": 0.9},
    )


def answers_by_colour(
    folder: Path, contract: ImageContract, pictures: Sequence[Picture]
) -> list[tuple[str, ...] | None]:
    """Return the label with the nearest mean for each picture."""
    means = json.loads((folder / MEANS_FILE).read_text())
    return [(nearest(means, decode(one.path.read_bytes(), contract)),) for one in pictures]


def nearest(means: dict[str, list[float]], pixels: Any) -> str:
    """Return the label whose mean colour is nearest."""
    mean = pixels.mean(axis=(0, 1))
    return min(means, key=lambda label: float(np.abs(mean - means[label]).sum()))


def pass_all(exported: Exported, champions: Sequence[Any], *_: object) -> Verdict:
    """Let everyone pass."""
    assert exported.artifact.is_dir()
    return Verdict((Check("all", "passed", "1", "1", ""),), champions[0].version if champions else None, {})


def hold_all(exported: Exported, champions: Sequence[Any], *_: object) -> Verdict:
    """Let nobody pass."""
    check = Check("all", "hold", "0", "1", "It is not good enough.")
    return replace(pass_all(exported, champions), checks=(check,))


TOOLS = Tools(
    train=train_by_colour,
    ask=pass_all,
    answering=answers_by_colour,
    promote=lambda model, version, label, servers, reason: promote(
        model, version, label=label, reason=reason
    ),
    prune=lambda model, keep, servers: prune(model, keep),
    sync=lambda store, servers: sync(open_store(store), servers),
    drifted=lambda *_: SimpleNamespace(drifted=True, sentence=lambda: "drift"),
)


@dataclass
class Nights:
    """One job in a folder of its own: `pictures`, `models`, `runs`."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    tools: Tools = TOOLS
    lines: list[str] = field(default_factory=list)

    @property
    def pictures(self) -> Path:
        """The source."""
        return self.folder / "pictures"

    @property
    def runs(self) -> Path:
        """Where runs are."""
        return self.folder / "runs"

    @property
    def model(self) -> Any:
        """The model in the store."""
        return open_store(self.folder / "models").model(NAME)

    def fill(self, count: int = 20, colours: Sequence[str] = ("red", "green", "blue")) -> "Nights":
        """Write so many pictures of each colour."""
        for colour in colours:
            write_pictures(self.pictures, colour, count)
        return self

    def run(self, *overrides: str) -> Outcome:
        """Play one night."""
        file = self.folder / "retrain.yaml"
        base = {"name": NAME, "sources": [{"folder": "pictures"}], "train": {"input": {"size": [8, 8]}}}
        base["train"]["network"] = {"blocks": [{"filters": 4}], "smallest_map": 1}  # type: ignore[index]  # a dict
        file.write_text(yaml.safe_dump({**base, **self.settings}))
        stages = Silent()
        try:
            return retrain(load_retrain_config(file, overrides), self.tools, stages, "pictor retrain")  # type: ignore[arg-type]  # as far as it is used
        finally:
            self.lines = stages.lines

    def served(self) -> str | None:
        """Return which colours the stable version tells, None without one."""
        stable = self.model.labels().get("stable")
        return None if stable is None else ",".join(self.model.contract(stable).labels)

    def last_run(self) -> Path:
        """Return the folder of the run that was judged last."""
        state = json.loads((self.runs / f".retrain-{NAME}" / "state.json").read_text())
        return self.runs / str(state["judged"]["run"])

    def verdict(self) -> dict[str, Any]:
        """Return the last run's verdict.json."""
        return dict(json.loads((self.last_run() / "verdict.json").read_text()))

    def with_tools(self, **tools: Callable[..., Any]) -> "Nights":
        """Return the same job with other tools."""
        return replace(self, tools=replace(self.tools, **tools))
