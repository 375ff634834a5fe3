"""What was measured, kept as a file that people and programs read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pictor_tfs.tuning.figures import Figures, FiguresInvalid, read_figures

FiguresOf = Callable[..., Figures]


def test_figures_come_back_as_they_were_written(figures_of: FiguresOf, tmp_path: Path) -> None:
    """Each timing on a line of its own, for whoever compares two files."""
    figures = figures_of()
    file = tmp_path / "figures.json"
    file.write_text(figures.to_json())

    assert figures == read_figures(file)
    assert '    {"pictures": 8, "median_s": 0.04},' in file.read_text().splitlines()
    assert '  "input": [128, 128, 3],' in file.read_text().splitlines()


def test_the_rate_counts_every_caller(figures_of: FiguresOf) -> None:
    """Two callers with eight pictures each in 40 ms."""
    figures = figures_of()
    assert 400.0 == pytest.approx(figures.pictures_per_s(figures.timings[3]))


@pytest.mark.parametrize(
    ("milliseconds", "changes", "words"),
    [
        ({}, {}, "begin with one picture"),
        ({2: 5.0, 4: 9.0}, {}, "begin with one picture"),
        ({1: 5.0, 4: 9.0, 2: 7.0}, {}, "rise"),
        ({1: 0.0}, {}, "from 1e-06 to 3600 seconds"),
        ({1: float("nan")}, {}, "from 1e-06 to 3600 seconds"),
        ({1: 5.0, 2: float("inf")}, {}, "from 1e-06 to 3600 seconds"),
        ({1: 5.0, 2**40: 6.0}, {}, "larger than 65536"),
        ({1: 5.0}, {"largest_batch": 2**40}, "larger than 65536"),
        ({1: 5.0}, {"largest_batch": 32.5}, "whole numbers"),
        ({1: 5.0}, {"largest_batch": True}, "whole numbers"),
        ({1: 5.0}, {"server": "a card\nmax_batch_size { value: 1 }"}, "one line"),
        ({1: 5.0}, {"largest_batch": 0}, "at least 1"),
        ({1: 5.0}, {"concurrency": 0}, "at least 1"),
    ],
)
def test_impossible_figures_are_refused(
    milliseconds: dict[int, float], changes: dict[str, Any], words: str, figures_of: FiguresOf
) -> None:
    """No rule has to work with them."""
    with pytest.raises(FiguresInvalid, match=words):
        figures_of(milliseconds, **changes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda document: document.pop("server"), "server missing"),
        (lambda document: document.update(notes="x"), "notes missing or unknown"),
        (lambda document: document.update(format=2), "measure anew"),
        (lambda document: document.update(input=[128, 128]), "another type"),
        (lambda document: document["timings"].append({"pictures": 64}), "median_s"),
        (lambda document: document.update(concurrency="two"), "whole numbers"),
        (lambda document: document["timings"][1].update(pictures=2.7), "whole numbers"),
        (lambda document: document["timings"][1].update(median_s="0.01"), "must be a number"),
        (lambda document: document.update(server=["a card"]), "one line"),
    ],
)
def test_a_file_of_something_else_is_refused(
    change: Callable[[Any], Any], words: str, figures_of: FiguresOf, tmp_path: Path
) -> None:
    """The message names the file and what is wrong with it."""
    document = json.loads(figures_of().to_json())
    change(document)
    file = tmp_path / "figures.json"
    file.write_text(json.dumps(document))
    with pytest.raises(FiguresInvalid, match=words) as refused:
        read_figures(file)

    assert str(refused.value).startswith(f"{file} cannot be used: ")


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b"\xff", None])
def test_a_file_that_is_none_is_refused(content: bytes | None, tmp_path: Path) -> None:
    """Or one that is not there."""
    file = tmp_path / "figures.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(FiguresInvalid, match=r"figures\.json cannot be used"):
        read_figures(file)
