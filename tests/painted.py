"""Tiny models whose every answer is chosen: model k says the colour of the k-th quarter of a picture.

So a picture can be painted to be answered rightly by one version and wrongly by another, without a training.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, PngImagePlugin

from colours import COLOURS
from pictor_contract import GoldenExample, ImageContract, PictureInput, decode
from pictor_contract.artifact import CONTRACT_FILE, EXTRA, ONNX_DIGEST_KEY, ONNX_FILE, write_manifest
from pictor_training.evaluation import evaluate
from pictor_training.retraining.gate.ask import ask
from pictor_training.retraining.gate.champion import Champion
from pictor_training.retraining.gate.config import GateConfig
from pictor_training.verdict import Check, Verdict

SIDE = 8
QUARTER = SIDE // 4
CHALLENGER, STABLE, EARLIER = 0, 1, 2
LEAST = 0.3
"""Share of full brightness from which a multilabel model sees a colour."""


@dataclass(frozen=True)
class Model:
    """What a version is like; `quarter` is where it looks, `name` whose it is."""

    quarter: int
    labels: tuple[str, ...] = COLOURS
    head: str = "multiclass"
    sharpness: float = 10.0
    input: PictureInput = PictureInput(height=SIDE, width=SIDE)  # noqa: RUF009 - frozen
    ballast: int = 0

    def scores(self, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Answer as its model.onnx does."""
        start = self.quarter * self.input.width // 4
        seen = pictures[:, :, start : start + self.input.width // 4].mean(axis=(1, 2))[:, self._channels()]
        if self.head == "multilabel":
            return np.asarray(1 / (1 + np.exp(-self.sharpness * (seen / 255 - LEAST))))
        powers = np.exp(self.sharpness * seen / 255)
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def _channels(self) -> list[int]:
        return [COLOURS.index(label) for label in self.labels]

    def contract(self) -> ImageContract:
        """Return the whole contract, with a golden example."""
        contract = ImageContract(
            name="colours",
            labels=self.labels,
            head=self.head,  # type: ignore[arg-type]  # a test's text
            input=self.input,
            allowed_batch_sizes=(1, 2, 4),
            thresholds=() if self.head == "multiclass" else (0.5,) * len(self.labels),
        )
        golden = paint(["green"] * 4, 0)
        pixels = decode(golden, contract)
        digest = sha256(pixels.tobytes()).hexdigest()
        scores = tuple(self.scores(pixels[np.newaxis])[0].tolist())
        return replace(contract, golden=GoldenExample(base64.b64encode(golden).decode(), digest, scores))

    def as_onnx(self, contract: ImageContract) -> onnx.ModelProto:
        """Return the model as ONNX."""
        start = self.quarter * self.input.width // 4
        numbers = {
            "start": np.array([start], np.int64),
            "end": np.array([start + self.input.width // 4], np.int64),
            "width": np.array([2], np.int64),
            "axes": np.array([1, 2], np.int64),
            "channels": np.array(self._channels(), np.int64),
            "scale": np.array(self.sharpness / 255, np.float32),
            "shift": np.array(self.sharpness * LEAST, np.float32),
            "ballast": np.zeros(self.ballast, np.float32),
        }
        nodes = [
            helper.make_node("Slice", ["images", "start", "end", "width"], ["quarter"]),
            helper.make_node("Cast", ["quarter"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
            helper.make_node("Gather", ["means", "channels"], ["seen"], axis=1),
            helper.make_node("Mul", ["seen", "scale"], ["scaled"]),
            *self._squashed(),
        ]
        pictures = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", *self.input.shape])
        scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", len(self.labels)])
        constants = [numpy_helper.from_array(value, name) for name, value in numbers.items()]
        graph = helper.make_graph(nodes, "quarter", [pictures], [scores], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        helper.set_model_props(model, {ONNX_DIGEST_KEY: contract.digest()})
        return model

    def _squashed(self) -> list[onnx.NodeProto]:
        if self.head != "multilabel":
            return [helper.make_node("Softmax", ["scaled"], ["scores"], axis=1)]
        return [
            helper.make_node("Sub", ["scaled", "shift"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["scores"]),
        ]

    def write(self, folder: Path) -> Path:
        """Write the version's folder."""
        contract = self.contract()
        (folder / EXTRA).mkdir(parents=True)
        (folder / CONTRACT_FILE).write_text(contract.to_json(), encoding="utf-8")
        onnx.save(self.as_onnx(contract), str(folder / ONNX_FILE))
        write_manifest(folder)
        return folder


def paint(quarters: Sequence[str], number: int) -> bytes:
    """Return a PNG whose quarters have these colours ("green+blue": both); `number` makes it unique."""
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    for place, colours in enumerate(quarters):
        for colour in filter(None, colours.split("+")):
            pixels[:, place * QUARTER : (place + 1) * QUARTER, COLOURS.index(colour)] = 255
    told = PngImagePlugin.PngInfo()
    told.add_text("number", str(number))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", pnginfo=told)
    return file.getvalue()


@dataclass
class World:
    """Held-out pictures and the versions that answer them; `asked` asks the gate."""

    folder: Path
    truth: list[str]
    contents: list[str]
    exported: Any
    champions: list[Champion]

    def asked(self, **config: object) -> Verdict:
        """Ask the gate, without its gateway unless that is wanted."""
        wanted = GateConfig.model_validate({"gateway": False, "max_risk": 1.0, **config}, strict=True)
        return ask(self.exported, self.champions, wanted, self.file)

    def file(self, row: int) -> Path:
        """Return where the picture of `row` lies."""
        return self.folder / "pictures" / f"{row}.png"


def other(label: str) -> str:
    """Return a wrong answer."""
    return COLOURS[(COLOURS.index(label) + 1) % len(COLOURS)]


def answers(truth: Sequence[str], wrong: Sequence[int] = ()) -> list[str]:
    """Return right answers but for those `wrong`."""
    return [other(label) if number in set(wrong) else label for number, label in enumerate(truth)]


def export(
    folder: Path, model: Model, truth: Sequence[str], files: Sequence[bytes], contents: Sequence[str]
) -> Any:
    """Return what the gate reads of a run; the real one would load TensorFlow."""
    contract = model.contract()
    pictures = np.stack([decode(file, contract) for file in files])
    targets = np.array([[label in one.split("+") for label in model.labels] for one in truth], np.float32)
    scores = model.scores(pictures)
    data = SimpleNamespace(
        pictures=pictures,
        targets=targets,
        contents=tuple(contents),
        paths=tuple(f"{number}.png" for number in range(len(files))),
        test=np.arange(len(files)),
    )
    judgement = SimpleNamespace(
        test=evaluate(scores, targets, model.labels, contract.head, seed=1), scores=scores
    )
    (folder / "run").mkdir()
    return SimpleNamespace(
        run=folder / "run",
        artifact=model.write(folder / "run" / "artifact"),
        contract=contract,
        data=data,
        judgement=judgement,
        stages=SimpleNamespace(line=lambda text: None),
    )


def check_of(verdict: Verdict, name: str) -> Check:
    """Return the one check whose name begins so."""
    (found,) = [check for check in verdict.checks if check.name.startswith(name)]
    return found


def objecting(verdict: Verdict) -> list[str]:
    """Name the checks that object."""
    return [check.name for check in verdict.checks if check.outcome in ("hold", "reject")]
