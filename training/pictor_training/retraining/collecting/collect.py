"""All that the sources hold, judged: what may be learnt from, and what not."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pictor_contract import PictureInput, PictureRefused, decode_picture
from pictor_training.data.contents import LIMITS, Refusal, Report, read_file
from pictor_training.data.threads import in_order
from pictor_training.errors import DataError
from pictor_training.retraining.collecting.digests import Digests
from pictor_training.retraining.collecting.known import Known, read_known, write_known
from pictor_training.retraining.collecting.label_check import Judge, accepted, check_labels
from pictor_training.retraining.collecting.listing import list_sources
from pictor_training.retraining.collecting.losses import check_losses
from pictor_training.retraining.collecting.picture import Collection, Distrusted, Key, Picture
from pictor_training.retraining.config import RetrainConfig

_SHOWN: Final = 3
"""Examples in a note."""

_GLANCE: Final = PictureInput(height=8, width=8)
"""What a picture is decoded to where only whether it can be decoded is asked."""


@dataclass(frozen=True, slots=True)
class Background:
    """What new pictures are seen against.

    `collected` is where samples were copied to, `known` the file of what is remembered, `before` the
    champion's pictures, content to label; `forgotten` must not be learnt from. Without a champion that can be
    asked there is no `judge`.
    """

    collected: Path
    known: Path
    before: Mapping[str, str]
    forgotten: AbstractSet[str]
    judge: Judge | None


def collect(config: RetrainConfig, background: Background, digests: Digests, report: Report) -> Collection:
    """List, read and judge; what was found is remembered, so that it is judged once.

    Raises:
        DataError: a source is missing or empty, a class or too many pictures have gone.
        TrainingError: what is remembered cannot be read or written.
    """
    pictures, notes = _read(config, background, digests, report)
    known = read_known(background.known)
    served = frozenset() if background.judge is None else background.judge.labels
    check_losses(background.before, served, pictures, background.forgotten, config.collect)
    fresh = [picture for picture in pictures if picture.key not in known]
    standing = {picture.key: known[picture.key] for picture in pictures if picture.key in known}
    broken = _broken(fresh, report)
    standing |= {picture.key: Known("broken") for picture in fresh if picture.content in broken}
    found, distrusted = _judged(pictures, standing, background.judge, config)
    standing |= found
    disputed = _disputed(pictures, known)
    standing |= {key: Known("waiting") for key in disputed if standing[key].standing == "trusted"}
    if standing != known:
        write_known(background.known, standing)
    used = tuple(
        picture
        for picture in pictures
        if standing[picture.key].standing in ("trusted", "waiting") and picture.key not in disputed
    )
    new = {picture.key for picture in fresh}
    return Collection(
        pictures=used,
        fresh=sum(picture.key in new for picture in used),
        quarantined=tuple(one for one in pictures if standing[one.key].standing == "quarantined"),
        distrusted=tuple(distrusted),
        notes=(
            *notes,
            *_note("cannot be decoded", _with_standing("broken", pictures, standing)),
            *_note(
                "show what is known under another label",
                [str(one.path) for one in pictures if one.key in disputed],
            ),
        ),
    )


def _read(
    config: RetrainConfig, background: Background, digests: Digests, report: Report
) -> tuple[list[Picture], list[str]]:
    listed = list_sources(config.sources, background.collected)
    contents = digests.contents(listed.examples, report)
    digests.save()
    pictures, unreadable = [], []
    for example, source, content in zip(listed.examples, listed.sources, contents, strict=True):
        if isinstance(content, Refusal):
            unreadable.append(str(example.path))
        elif content not in background.forgotten:
            pictures.append(Picture(example.path, content, example.labels, example.split, source))
    if not pictures:
        raise DataError(f"None of the {len(contents)} files that the sources name can be read.")
    return pictures, [*listed.notes, *_note("cannot be read", unreadable)]


def _disputed(pictures: Sequence[Picture], known: Mapping[Key, Known]) -> set[Key]:
    """Return copies of trusted pictures that came later, under another label.

    The audit would drop both, and a batch of copies take held-out pictures away. Whoever means the new label
    removes the file with the old one.
    """
    trusted = {
        picture.content
        for picture in pictures
        if known.get(picture.key, Known("waiting")).standing == "trusted"
    }
    return {
        picture.key
        for picture in pictures
        if picture.content in trusted and known.get(picture.key, Known("waiting")).standing != "trusted"
    }


def _broken(pictures: Sequence[Picture], report: Report) -> set[str]:
    """Return the contents that are no pictures."""
    once = list({picture.content: picture for picture in pictures}.values())
    broken = set()
    for done, (picture, readable) in enumerate(zip(once, in_order(_is_readable, once), strict=True), start=1):
        if not readable:
            broken.add(picture.content)
        report("looking at new pictures", done, len(once))
    return broken


def _is_readable(picture: Picture) -> bool:
    data = read_file(picture.path)
    if isinstance(data, Refusal):
        return False
    try:
        decode_picture(data, _GLANCE, LIMITS)
    except PictureRefused:
        return False
    return True


def _judged(
    pictures: Sequence[Picture], standing: Mapping[Key, Known], judge: Judge | None, config: RetrainConfig
) -> tuple[dict[Key, Known], list[Distrusted]]:
    whole = [one for one in pictures if standing.get(one.key, Known("waiting")).standing != "broken"]
    vouched = accepted(whole, config.collect.accept)
    doubtful = [picture for picture in whole if picture.key not in vouched]
    if not config.collect.label_check:
        return vouched | {one.key: Known("trusted") for one in doubtful}, []
    if judge is None:
        return vouched | {one.key: Known("trusted") for one in doubtful if one.key not in standing}, []
    found, distrusted = check_labels(doubtful, standing, judge, config.collect)
    return vouched | found, distrusted


def _with_standing(wanted: str, pictures: Sequence[Picture], standing: Mapping[Key, Known]) -> list[str]:
    return [str(picture.path) for picture in pictures if standing[picture.key].standing == wanted]


def _note(what: str, paths: Sequence[str]) -> Iterator[str]:
    if paths:
        more = ", ..." if len(paths) > _SHOWN else ""
        yield f"{len(paths)} files {what} and are left out: {', '.join(paths[:_SHOWN])}{more}"
