"""Who a challenger has to beat: what the store serves now, and what the job remembers of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ContractError, ImageContract, PictureRefused, decode_picture
from pictor_contract.decision import decide
from pictor_contract.engine import silence_engine
from pictor_store.errors import StoreError, StoreLocked, VersionDamaged, VersionMissing
from pictor_store.lineage import STABLE, stable_line
from pictor_store.models.model import StoredModel
from pictor_training.data.contents import LIMITS, Refusal, read_file
from pictor_training.data.threads import in_order
from pictor_training.errors import ChampionSilent, Locked, StoreFailed
from pictor_training.retraining.collecting.label_check import Judge
from pictor_training.retraining.collecting.picture import Picture
from pictor_training.retraining.contents import CONTENTS_FILE, Contents, read_contents
from pictor_training.retraining.gate.champion import Champion
from pictor_training.retraining.memory import Entry, Memory

Pixels = NDArray[np.uint8]

Answering = Callable[[Path, ImageContract, Sequence[Picture]], Sequence[tuple[str, ...] | None]]
"""A version's folder and contract: what that version says that each picture shows."""


@contextmanager
def store_errors() -> Iterator[None]:
    """Translate the store's errors into training's.

    Raises:
        Locked: another process is changing the store.
        StoreFailed: anything else that the store raises.
    """
    try:
        yield
    except StoreLocked as error:
        raise Locked(str(error)) from error
    except (StoreError, OSError) as error:
        raise StoreFailed(f"{error} The next run goes on from here.") from error


class Lineage:
    """One model's versions in the store, with the runs that made them."""

    def __init__(self, model: StoredModel, memory: Memory) -> None:
        self._model = model
        self._memory = memory
        self._contents: dict[str, Contents | None] = {}  # by run; a hundred thousand lines are read once

    def serving(self, besides: int | None = None) -> int | None:
        """Return the version that answers: stable, or the newest where nothing is; None if there is none.

        `besides` is a version of our own that was only just published.

        Raises:
            StoreFailed: the store cannot be read, or versions are gone that must be there.
        """
        with store_errors():
            versions = [version for version in self._model.versions() if version != besides]
            stable = self._model.labels().get(STABLE)
        if stable is not None and stable != besides:
            if stable not in versions:
                raise StoreFailed(f"{self._model.where}: version {stable} is stable, but it is not there.")
            return stable
        if not versions:
            self._refuse_vanished(besides)
        return max(versions, default=None)

    def champions(self, into: Path, besides: int | None = None) -> list[Champion]:
        """Return what serves, then the best of those that served before it; copies lie below `into`.

        The second keeps small falls, each within the margin, from adding up.

        Raises:
            StoreFailed: the store cannot be read.
        """
        serving = self.serving(besides)
        if serving is None:
            return []
        best = self._best_before(serving, besides)
        return [self._champion(version, into) for version in (serving, best) if version is not None]

    def contents(self, version: int) -> Contents | None:
        """Return the pictures of a version, None where nobody wrote them down."""
        entry = self.entry(version)
        if entry is None:
            return None
        if entry.run not in self._contents:
            self._contents[entry.run] = read_contents(self._memory.runs / entry.run / CONTENTS_FILE)
        return self._contents[entry.run]

    def entry(self, version: int) -> Entry | None:
        """Return the ledger's entry of the run that made a version."""
        return next((one for one in reversed(self._memory.ledger()) if one.version == version), None)

    def judge(self, version: int, into: Path, answering: Answering) -> Judge:
        """Return `version` as a judge of labels; it is only fetched when there is something to ask.

        Raises:
            ChampionSilent: it is too damaged to be asked; also when it is asked.
            StoreFailed: the store cannot be read.
        """
        entry, contents = self.entry(version), self.contents(version)
        with store_errors():
            try:
                contract = self._model.contract(version)
            except VersionDamaged as error:
                raise _silent(error) from error

        def answers(pictures: Sequence[Picture]) -> Sequence[tuple[str, ...] | None]:
            with store_errors():
                try:
                    folder = self._model.fetch(version, into)
                except VersionDamaged as error:
                    raise _silent(error) from error
            return answering(folder, contract, pictures)

        return Judge(
            version=version,
            labels=frozenset(contract.labels),
            multilabel=contract.head == "multilabel",
            recalls={} if entry is None or contract.head == "multilabel" else entry.recalls,
            accuracy=contract.metrics.get("accuracy"),
            trusted={} if contents is None else contents.labels,
            answers=answers,
        )

    def _champion(self, version: int, into: Path) -> Champion:
        contents = self.contents(version)
        contract: ImageContract | None = None
        folder = self._model.folder(version) or into / str(version)
        with store_errors():
            try:
                folder = self._model.fetch(version, into)
                contract = self._model.contract(version)
            except (VersionDamaged, VersionMissing):
                pass  # the gate rules on a champion that cannot be read
        return Champion(
            version=version,
            contract=contract,
            folder=folder,
            trained_on=None if contents is None else contents.trained_on,
            held_out=None if contents is None else contents.held_out,
        )

    def _best_before(self, serving: int, besides: int | None) -> int | None:
        """Return the most accurate of those that stable stood on and was not taken back from."""
        with store_errors():
            present = set(self._model.versions()) - {serving, besides}
            line = [version for version in stable_line(self._model.history()) if version in present]
            return max(line, key=lambda version: (self._accuracy(version), version), default=None)

    def _accuracy(self, version: int) -> float:
        try:
            return self._model.contract(version).metrics.get("accuracy", 0.0)
        except VersionDamaged:
            return 0.0

    def _refuse_vanished(self, besides: int | None) -> None:
        """Refuse an empty mount: it looks like a store before its first version, but the ledger knows."""
        published = [
            one.version for one in self._memory.ledger() if one.version is not None and one.version != besides
        ]
        if published:
            raise StoreFailed(
                f"{self._model.where} holds no version, but version {published[-1]} was published there. Is "
                "the store mounted? If it is meant to begin anew, remove the job's ledger.json."
            )


def answers_by_onnx(
    folder: Path, contract: ImageContract, pictures: Sequence[Picture]
) -> list[tuple[str, ...] | None]:
    """Ask a version's own model.onnx, its pictures decoded as its contract says.

    Raises:
        ChampionSilent: the version does not answer.
    """
    silence_engine()
    from pictor_training.retraining.gate.engine import Engine  # noqa: PLC0415 - most nights have nothing new

    readable: list[bool] = []

    def pixels(picture: Picture) -> Pixels | None:
        data = read_file(picture.path)
        try:
            return None if isinstance(data, Refusal) else decode_picture(data, contract.input, LIMITS).pixels
        except PictureRefused:
            return None

    def decoded() -> Iterator[Pixels]:
        for one in in_order(pixels, pictures):
            readable.append(one is not None)
            if one is not None:
                yield one

    try:
        scores = Engine(folder, contract).score_all(decoded())
    except ContractError as error:
        raise _silent(error) from error
    said = iter(decide(scores, contract.head, contract.thresholds))
    return [_labels(contract, next(said)) if there else None for there in readable]


def _silent(error: Exception) -> ChampionSilent:
    return ChampionSilent(
        f"The stable version cannot be asked about new pictures. {error} Restore its files, or promote "
        "another version (`pictor models promote`), or go on without it: gate.champion_unreadable=allow."
    )


def _labels(contract: ImageContract, decided: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(sorted(label for label, yes in zip(contract.labels, decided, strict=True) if yes))
