"""The contract: all that a model's user must know to feed it and to read its answer.

One readable JSON, written and read by the frozen dataclasses below and by nothing else.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from typing import Any, Literal, Self, TypeVar, get_args

from pictor_contract.checks import are_numbers, are_texts, is_base64, is_int, is_number, is_text, require
from pictor_contract.errors import InvalidContract
from pictor_contract.statistics import DataStatistics

SCHEMA_VERSION = 1
"""Raised when a reader of the old schema would misread the new one.

`statistics` did not raise it: a release from before refuses a contract that has them, by an unknown field's
name, and misreads nothing; a contract without them is written, and digested, as it always was.
"""

DECODE_VERSION = 1
"""Raised when `decode` would give other pixels for the same picture and the same input."""

Head = Literal["binary", "multiclass", "multilabel"]
ResizeFilter = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Fit = Literal["stretch", "crop", "pad"]

MAX_SIDE = 4096
"""Pixels; a larger input would be a mistake, and one picture of it already takes 50 MB."""

MODEL_NAME_RULE = "letters, digits, '.', '_' and '-', starting with a letter or digit, at most 64"

_MOST_NAME_LETTERS = 64
_LEVELS = range(256)


@dataclass(frozen=True, slots=True)
class PictureInput:
    """What one picture looks like when it reaches the model: uint8 [height, width, channels].

    `fit` says what happens to another aspect ratio: "stretch" ignores it, "crop" keeps the centre, "pad"
    adds `background` (RGB) at the sides. `background` also lies under transparent pixels.
    """

    height: int
    width: int
    channels: int = 3
    resize_filter: ResizeFilter = "bilinear"
    fit: Fit = "stretch"
    background: tuple[int, int, int] = (255, 255, 255)
    decode_version: int = DECODE_VERSION

    def __post_init__(self) -> None:
        """Refuse sizes and names that `decode` could not honour."""
        for name in ("height", "width"):
            side = getattr(self, name)
            require(is_int(side) and 1 <= side <= MAX_SIDE, f"input.{name}", side, f"1 to {MAX_SIDE} pixels")
        require(
            is_int(self.channels) and self.channels in (1, 3),
            "input.channels",
            self.channels,
            "1 (grey) or 3 (RGB)",
        )
        require(
            self.resize_filter in get_args(ResizeFilter),
            "input.resize_filter",
            self.resize_filter,
            f"one of {', '.join(get_args(ResizeFilter))}",
        )
        require(self.fit in get_args(Fit), "input.fit", self.fit, f"one of {', '.join(get_args(Fit))}")
        require(
            isinstance(self.background, tuple)
            and len(self.background) == len("RGB")
            and all(is_int(level) and level in _LEVELS for level in self.background),
            "input.background",
            self.background,
            "three levels from 0 to 255",
        )
        require(
            is_int(self.decode_version) and self.decode_version == DECODE_VERSION,
            "input.decode_version",
            self.decode_version,
            f"{DECODE_VERSION}, the one this release decodes by",
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return (self.height, self.width, self.channels)

    def digest(self) -> str:
        """Sha256 (hex) of all that decides the pixels: the key under which decoded pictures may be kept."""
        return _digest(asdict(self))


@dataclass(frozen=True, slots=True)
class GoldenExample:
    """A picture whose pixels and scores are known: whoever serves the model can prove it answers as trained.

    `picture_base64` is an encoded picture, `pixels_sha256` the digest of its decoded bytes and `scores`
    the answer.
    """

    picture_base64: str
    pixels_sha256: str
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what could not be decoded or compared."""
        require(is_base64(self.picture_base64), "golden.picture_base64", self.picture_base64, "base64")
        require(is_text(self.pixels_sha256), "golden.pixels_sha256", self.pixels_sha256, "a digest")
        require(are_numbers(self.scores), "golden.scores", self.scores, "a list of finite numbers")


@dataclass(frozen=True, slots=True)
class ImageContract:
    """What travels with a model. `labels[i]` names `scores[:, i]`, for every head.

    `temperature` is already applied inside the saved graph and stands here as a record, not as work to do.
    `thresholds[i]` is the calibrated score from which `labels[i]` counts as present. `made_by` names the
    release and the run. `statistics` are those of the training data, to compare what is seen later with.
    `golden` and `weights_sha256` are empty only before training has ended.
    """

    name: str
    labels: tuple[str, ...]
    head: Head
    input: PictureInput
    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()
    allowed_batch_sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    weights_sha256: str = ""
    data_sha256: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    golden: GoldenExample | None = None
    created_utc: str = ""
    made_by: str = ""
    statistics: DataStatistics | None = None
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        """Refuse what no reader could honour."""
        require(
            is_int(self.schema_version) and self.schema_version == SCHEMA_VERSION,
            "schema_version",
            self.schema_version,
            f"{SCHEMA_VERSION}, the one this release reads",
        )
        require(is_model_name(self.name), "name", self.name, MODEL_NAME_RULE)
        require(isinstance(self.input, PictureInput), "input", self.input, "a PictureInput")
        self._check_labels()
        self._check_scores()
        self._check_records()

    def _check_labels(self) -> None:
        require(self.head in get_args(Head), "head", self.head, f"one of {', '.join(get_args(Head))}")
        require(are_texts(self.labels), "labels", self.labels, "a list of names, none of them empty")
        require(len(set(self.labels)) == len(self.labels), "labels", self.labels, "each name once")
        least = 1 if self.head == "multilabel" else 2
        require(len(self.labels) >= least, "labels", self.labels, f"at least {least} for a {self.head} head")
        if self.head == "binary":
            require(len(self.labels) == least, "labels", self.labels, f"exactly {least} for a binary head")

    def _check_scores(self) -> None:
        require(
            is_number(self.temperature) and self.temperature > 0,
            "temperature",
            self.temperature,
            "a number above 0",
        )
        require(
            are_numbers(self.thresholds)
            and len(self.thresholds) in (0, len(self.labels))
            and all(0 <= threshold <= 1 for threshold in self.thresholds),
            "thresholds",
            self.thresholds,
            "one number from 0 to 1 for each label",
        )
        require(
            self.golden is None
            or (isinstance(self.golden, GoldenExample) and len(self.golden.scores) == len(self.labels)),
            "golden",
            self.golden,
            "an example with one score for each label",
        )

    def _check_records(self) -> None:
        sizes = self.allowed_batch_sizes
        require(
            isinstance(sizes, tuple)
            and all(is_int(size) and size > 0 for size in sizes)
            and sorted(set(sizes)) == list(sizes) != [],
            "allowed_batch_sizes",
            sizes,
            "rising whole numbers above 0",
        )
        for name in ("weights_sha256", "data_sha256", "created_utc", "made_by"):
            text = getattr(self, name)
            require(text == "" or is_text(text), name, text, "text")
        require(
            isinstance(self.metrics, dict)
            and all(is_text(name) and is_number(value) for name, value in self.metrics.items()),
            "metrics",
            self.metrics,
            "an object of finite numbers",
        )
        told = self.statistics
        require(
            told is None or (isinstance(told, DataStatistics) and len(told.class_mix) == len(self.labels)),
            "statistics",
            told,
            "the training data's, with one share of class_mix for each label",
        )

    @property
    def max_batch(self) -> int:
        """Pictures in the largest batch the model was warmed up for."""
        return self.allowed_batch_sizes[-1]

    def digest(self) -> str:
        """Sha256 (hex) over the canonical JSON: equal digests mean equal contracts."""
        return _digest(self._to_dict())

    def to_json(self) -> str:
        """Return readable JSON: UTF-8, two spaces, keys in the order of the fields."""
        return json.dumps(self._to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def _to_dict(self) -> dict[str, Any]:
        """Return plain data; a contract without statistics is written as before there were any."""
        data = asdict(self)
        if self.statistics is None:
            del data["statistics"]
        return data

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            InvalidContract: not JSON, an unknown or missing field, a value out of its range.
        """
        try:
            data = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise InvalidContract(f"The contract is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise InvalidContract(f"The contract must be a JSON object; received {type(data).__name__}.")
        version = data.get("schema_version")
        if not is_int(version) or version != SCHEMA_VERSION:  # judged first: all other fields may be new
            raise InvalidContract(
                f"The contract's schema_version must be {SCHEMA_VERSION}; received "
                f"{version!r}. Serve this model with the release that wrote it."
            )
        picture_input = _build(PictureInput, data.pop("input", None), "input")
        golden = data.pop("golden", None)
        example = None if golden is None else _build(GoldenExample, golden, "golden")
        told = data.pop("statistics", None)
        statistics = None if told is None else _build(DataStatistics, told, "statistics")
        parts = {"input": picture_input, "golden": example, "statistics": statistics}
        return _build(cls, {**data, **parts}, "contract")


Made = TypeVar("Made")


def is_model_name(name: object) -> bool:
    """Whether `name` is safe as a folder, a URL segment and a metric label at once."""
    if not isinstance(name, str) or not 1 <= len(name) <= _MOST_NAME_LETTERS or not name.isascii():
        return False
    return name[0].isalnum() and all(letter.isalnum() or letter in "._-" for letter in name)


def _build(made: type[Made], data: object, where: str) -> Made:
    if not isinstance(data, dict):
        raise InvalidContract(f"The contract's {where} must be a JSON object; received {data!r}.")
    known = {one.name for one in fields(made)}  # type: ignore[arg-type]  # only called with dataclasses
    if unknown := sorted(set(data) - known):
        raise InvalidContract(f"The contract's {where} has unknown fields: {', '.join(unknown)}.")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    try:
        return made(**values)
    except TypeError as error:  # a missing field, or a value of a type that cannot be compared
        raise InvalidContract(f"The contract's {where} cannot be read: {error}") from error


def _refuse_constant(name: str) -> None:
    """Python reads NaN and Infinity as numbers; no other reader of JSON does."""
    raise ValueError(f"{name} is no JSON number")


def _digest(data: dict[str, Any]) -> str:
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return sha256(canonical.encode()).hexdigest()
