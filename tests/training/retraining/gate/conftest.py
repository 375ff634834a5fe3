"""Worlds of painted pictures and the versions that answer them."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from painted import CHALLENGER, EARLIER, STABLE, Model, World, export, paint
from pictor_training.retraining.gate.champion import Champion

Paint = Callable[..., World]


@pytest.fixture
def world(tmp_path: Path) -> Paint:
    """Make a world: `world(truth, {CHALLENGER: answers, STABLE: answers}, known=..., learnt=...)`."""

    def make(
        truth: Sequence[str],
        said: Mapping[int, Sequence[str]],
        *,
        models: Mapping[int, Model] | None = None,
        known: Sequence[int] | None = None,
        learnt: Sequence[int] | None = (),
    ) -> World:
        wanted = {place: Model(place) for place in said} | dict(models or {})
        folder = tmp_path / "world"
        (folder / "pictures").mkdir(parents=True)
        files = []
        for number in range(len(truth)):
            quarters = [said[place][number] if place in said else "" for place in range(4)]
            files.append(paint(quarters, number))
            (folder / "pictures" / f"{number}.png").write_bytes(files[-1])
        contents = [sha256(file).hexdigest() for file in files]
        exported = export(folder, wanted[CHALLENGER], truth, files, contents)
        held = None if known is None else frozenset(contents[number] for number in known)
        by_heart = None if learnt is None else frozenset(contents[number] for number in learnt)
        champions = [
            Champion(
                version=10 - place,
                contract=wanted[place].contract(),
                folder=wanted[place].write(folder / "store" / str(10 - place)),
                trained_on=by_heart,
                held_out=held,
            )
            for place in (STABLE, EARLIER)
            if place in said
        ]
        return World(folder, list(truth), contents, exported, champions)

    return make
