"""report.html: whole, self-contained, and safe whatever classes are called."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from pictor_contract.contract import Head
from pictor_training.errors import TrainingError
from pictor_training.evaluation import calibrate
from pictor_training.report import ReportFacts, write_metrics, write_report

MakeFacts = Callable[..., ReportFacts]
VOID: Final = {"meta", "img"}
HOSTILE: Final = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "שלום \u202e עולם",
    "山と川 $x_1$",
    "a very long name " * 40,
)


class _Page(HTMLParser):
    """The page as a browser's parser sees it; a tag that is closed wrongly is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert tag == self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def _page(run: Path, facts: ReportFacts) -> _Page:
    return _Page(write_report(run, facts).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("head", "labels"),
    [("binary", 2), ("multiclass", 3), ("multiclass", 10), ("multiclass", 100), ("multilabel", 4)],
)
def test_a_report_needs_no_other_file_and_runs_no_script(
    make_facts: MakeFacts, tmp_path: Path, head: Head, labels: int
) -> None:
    """No address, no script, no handler; every reference is to a data URI or to a place in the page."""
    path = write_report(tmp_path, make_facts(head, tuple(f"class {i}" for i in range(labels))))
    text = path.read_text(encoding="utf-8")
    assert path == tmp_path / "report.html"
    assert re.search(r"https?:|//www|@import", text) is None
    page = _Page(text)
    assert page.count("script") + page.count("link") + page.count("iframe") == 0
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("data:image/png;base64,", "#"))


def test_a_report_tells_how_the_run_was_made(make_facts: MakeFacts, tmp_path: Path) -> None:
    """Command, seed, versions, fingerprint, configuration, audit, duration, published version."""
    text = _page(tmp_path, make_facts("multiclass", ("cat", "dog", "owl"))).text
    told = (
        "pictor train --data 'my pictures' seed=7",
        "seed: 7",
        "3.15.1",
        "c0ffee" * 10,
        "Two pictures are the same.",
        "a.png, b.png",
        "1 min 15 s",
        "small/3",
        "30 of 40 held-out pictures were answered right: 75.0\N{NO-BREAK SPACE}%",
    )
    assert [one for one in told if one not in text] == []


@pytest.mark.parametrize("head", ["multiclass", "multilabel"])
def test_names_are_shown_as_text_whatever_they_contain(
    make_facts: MakeFacts, tmp_path: Path, head: Head
) -> None:
    """Markup, template syntax, formulas, right-to-left and endless names reach the page letter by letter."""
    plain = _page(tmp_path, make_facts(head, tuple("abcdef")))
    hostile = _page(tmp_path, make_facts(head, HOSTILE))
    assert [tag for tag, _ in plain.elements] == [tag for tag, _ in hostile.elements]
    assert [name for name in HOSTILE if name not in hostile.text] == []


def test_a_file_name_that_is_no_text_is_shown_escaped(make_facts: MakeFacts, tmp_path: Path) -> None:
    """Linux allows any bytes in names; Python reads them as lone surrogates, which UTF-8 cannot hold."""
    facts = make_facts("binary", ("caf\udce9", "yes"))
    assert r"caf\udce9" in _page(tmp_path, facts).text
    path = write_metrics(tmp_path, facts.test, facts.val, facts.calibration)
    assert json.loads(path.read_bytes())["test"]["labels"] == ["caf\udce9", "yes"]


def test_every_picture_and_figure_has_words_for_who_cannot_see_it(
    make_facts: MakeFacts, tmp_path: Path
) -> None:
    """Thumbnails have alt text, figures a label, tables headers; there is one h1."""
    page = _page(tmp_path, make_facts("multiclass", ("cat", "dog", "owl")))
    assert page.count("img") == 10
    assert all(attributes["alt"] for tag, attributes in page.elements if tag == "img")
    drawn = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert all(one.get("aria-label") or one.get("aria-hidden") for one in drawn)
    assert all(attributes.get("scope") for tag, attributes in page.elements if tag == "th")
    assert page.count("h1") == 1


def test_a_run_without_mistakes_says_so(make_facts: MakeFacts, tmp_path: Path) -> None:
    """No empty gallery, no pairs that were mixed up."""
    page = _page(tmp_path, make_facts("multiclass", ("cat", "dog", "owl"), mistakes=False))
    assert "every held-out picture was answered right" in page.text
    assert "Taken for one another" not in page.text
    assert page.count("img") == 0


def test_the_least_a_run_can_have_is_reported(make_facts: MakeFacts, tmp_path: Path) -> None:
    """One epoch with a loss only, no validation figures, nothing published, an empty audit."""
    facts = make_facts(
        "binary",
        ("no", "yes"),
        history=[{"epoch": 1, "loss": 0.7}],
        best_epoch=1,
        val=None,
        calibration=calibrate(np.zeros((0, 1)), np.zeros((0, 2), np.float32), "binary"),
        audit={},
        audit_warnings=[],
        parity=None,
        published=None,
    )
    text = _page(tmp_path, facts).text
    assert "not published" in text
    assert "there were no validation pictures" in text


def test_a_run_without_history_is_reported(make_facts: MakeFacts, tmp_path: Path) -> None:
    """An evaluation alone has no learning curve."""
    text = _page(tmp_path, make_facts("binary", ("no", "yes"), history=[])).text
    assert "No learning curve was recorded." in text


def test_the_same_facts_give_the_same_bytes(make_facts: MakeFacts, tmp_path: Path) -> None:
    """No date, no random id: two reports can be compared."""
    facts = make_facts("multiclass", ("cat", "dog", "owl"))
    first = write_report(tmp_path, facts).read_bytes()
    assert first == write_report(tmp_path, facts).read_bytes()


def test_writing_leaves_only_the_report_and_replaces_an_old_one(
    make_facts: MakeFacts, tmp_path: Path
) -> None:
    """Nothing half-written stays beside it."""
    (tmp_path / "report.html").write_text("old")
    write_report(tmp_path, make_facts("binary", ("no", "yes")))
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_report_that_cannot_be_written_is_refused_with_its_path(
    make_facts: MakeFacts, tmp_path: Path
) -> None:
    """A file stands where the run's folder should be."""
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(TrainingError, match=r"report\.html could not be written"):
        write_report(tmp_path / "run", make_facts("binary", ("no", "yes")))


def test_metrics_are_strict_json(make_facts: MakeFacts, tmp_path: Path) -> None:
    """Held-out, validation and calibration figures, readable by any JSON parser."""
    facts = make_facts("multilabel", ("山", "b", "c"))
    path = write_metrics(tmp_path, facts.test, None, facts.calibration)
    read = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert read["test"]["accuracy"]["value"] == facts.test.accuracy.value
    assert read["val"] is None
    assert read["calibration"]["temperature"] == facts.calibration.temperature
