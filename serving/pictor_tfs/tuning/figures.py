"""What was measured on one server: how long a call takes, by the number of pictures it brings."""

import json
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

FORMAT: Final = 1
"""Of the JSON; a file of another format is refused."""

MOST_PICTURES: Final = 65536
"""In one call: nobody sends more, and TensorFlow Serving's numbers have an end."""

_LEAST_S: Final = 1e-6
"""As exact as figures are rounded."""

_MOST_S: Final = 3600.0


class FiguresInvalid(ValueError):
    """A file holds no figures that can be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Timing:
    """`pictures` in one call took `median_s` seconds, with `Figures.concurrency` such calls under way."""

    pictures: int
    median_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement. `server` says in words what answered, and on what hardware; `input` is [H, W, C].

    `largest_batch` is the contract's: the most that gateways send and the model's warm-up asks in one call.

    Raises:
        FiguresInvalid: a number is impossible.
    """

    measured_at: str
    server: str
    model: str
    version: int
    input: tuple[int, int, int]
    largest_batch: int
    concurrency: int
    repeats: int
    timings: tuple[Timing, ...]

    def __post_init__(self) -> None:
        """Refuse what the rules could not work with."""
        _check_types(self)
        sizes = [timing.pictures for timing in self.timings]
        if not sizes or sizes[0] != 1 or any(one >= other for one, other in pairwise(sizes)):
            raise FiguresInvalid(f"timings must begin with one picture and rise; their pictures are {sizes}.")
        if not all(_LEAST_S <= timing.median_s <= _MOST_S for timing in self.timings):  # refuses NaN as well
            raise FiguresInvalid(f"every median_s must be from {_LEAST_S:g} to {_MOST_S:g} seconds.")
        if min(self.largest_batch, self.concurrency, self.repeats) < 1:
            raise FiguresInvalid("largest_batch, concurrency and repeats must be at least 1.")
        if max(self.largest_batch, sizes[-1]) > MOST_PICTURES:
            raise FiguresInvalid(f"no batch may be larger than {MOST_PICTURES} pictures.")

    def pictures_per_s(self, timing: Timing) -> float:
        """Return how many pictures a second were answered in batches of this size."""
        return self.concurrency * timing.pictures / timing.median_s

    def to_json(self) -> str:
        """Return the text of the file; each timing stands on a line of its own."""
        values = {"format": FORMAT, **asdict(self)}
        timings = ",\n".join(f"    {json.dumps(timing)}" for timing in values.pop("timings"))
        lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in values.items()]
        return "{\n" + ",\n".join([*lines, f'  "timings": [\n{timings}\n  ]']) + "\n}\n"


def read_figures(path: Path) -> Figures:
    """Read a file that `to_json` wrote, by hand or by machine.

    Raises:
        FiguresInvalid: it cannot be read, is no such file, or holds impossible numbers.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return _figures(document)
    except (OSError, ValueError, RecursionError) as error:  # FiguresInvalid, JSON and UTF-8 are ValueErrors
        raise FiguresInvalid(f"{path} cannot be used: {error}") from error


def _figures(document: dict[str, Any]) -> Figures:
    names = [field.name for field in fields(Figures)]
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FiguresInvalid(f'it must be a JSON object with "format": {FORMAT}; measure anew.')
    if wrong := sorted({*names, "format"} ^ set(document)):
        raise FiguresInvalid(f"{', '.join(wrong)} missing or unknown.")
    try:
        timings = tuple(Timing(one["pictures"], one["median_s"]) for one in document["timings"])
        height, width, channels = document["input"]
        plain = {name: document[name] for name in names if name not in {"timings", "input"}}
        return Figures(**plain, input=(height, width, channels), timings=timings)
    except FiguresInvalid:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise FiguresInvalid(f"a value is missing or of another type ({error}).") from error


def _check_types(figures: Figures) -> None:
    """Refuse what JSON lets pass: 2.7 pictures, true repeats, a list as the server's name."""
    whole = (figures.version, figures.largest_batch, figures.concurrency, figures.repeats, *figures.input)
    counts = [*whole, *(timing.pictures for timing in figures.timings)]
    texts = (figures.measured_at, figures.server, figures.model)
    if any(type(one) is not int for one in counts):
        raise FiguresInvalid(f"sizes and counts must be whole numbers; received {counts}.")
    if any(type(timing.median_s) not in {int, float} for timing in figures.timings):
        raise FiguresInvalid("every median_s must be a number.")
    if any(not isinstance(one, str) or not one.isprintable() for one in texts):
        raise FiguresInvalid(f"texts must be one line each; received {texts}.")
