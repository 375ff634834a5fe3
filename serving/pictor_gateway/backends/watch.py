"""Which versions of a store's models are served: the newest healthy and the labelled ones, come what may."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pictor_contract import ContractError
from pictor_contract.artifact import list_models, list_versions
from pictor_gateway.backends.protocol import ModelStatus, ServedVersion, VersionStatus
from pictor_gateway.backends.store_labels import StoreLabels, preferred
from pictor_store.lineage import STABLE

log = logging.getLogger("pictor.models")

Fingerprint = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Refusal:
    reason: str
    fingerprint: Fingerprint


class StoreWatch:
    """One look at the store is one `scan`. Scans run in one thread; `models` may be read from any.

    A new version takes over only after it has been proven, and the old one is let go after that; requests
    that hold the old one finish with it. A version that is refused is tried again only when its files
    change. If the newest loaded version disappears from disk, the next lower one there takes over; while
    there is none, what is in memory goes on. So does the stable version for as long as it is stable.

    Labels are those of the model's history. A label moves when the version it names has been proven.
    """

    def __init__(
        self,
        store: Path,
        keep_versions: int,
        load: Callable[[str, int], ServedVersion],
        only: Collection[str] = (),
    ) -> None:
        self._store = store
        self._only = only
        self._keep_versions = keep_versions
        self._load = load
        self._loaded: dict[str, dict[int, ServedVersion]] = {}
        self._refused: dict[str, dict[int, _Refusal]] = {}
        self._trouble = ""
        self._wanted: dict[str, frozenset[int]] = {}
        self._labels: dict[str, StoreLabels] = {}
        self.models: tuple[ModelStatus, ...] = ()
        """Replaced as a whole after every change."""

    def want(self, name: str, versions: Collection[int]) -> None:
        """Keep these versions loaded as well, if they are there: from the next scan on, until told anew."""
        self._wanted[name] = frozenset(versions)

    def scan(self) -> None:
        """Look once, load what is new, and publish the outcome in `models`."""
        try:
            names = [name for name in list_models(self._store) if not self._only or name in self._only]
            present = {name: list_versions(self._store / name) for name in names}
        except OSError as error:  # a network file system that went away comes back; what is loaded goes on
            self._report_trouble(f"The store {self._store} cannot be read: {error}")
            return
        names_wanted = self._only or ("<name>",)
        self._report_trouble(
            ""
            if present
            else f"No model in {self._store}: expected {' or '.join(names_wanted)}/<version>/ there."
        )
        for name in sorted(set(present) | set(self._refused)):
            self._scan_model(name, present.get(name, []))
        self._publish()

    def _scan_model(self, name: str, present: list[int]) -> None:
        refused = self._refused.setdefault(name, {})
        for version in set(refused) - set(present):
            del refused[version]
        labels = self._look_at_labels(name, present)
        if not labels.known:  # which version is meant cannot be known: the newest may be nobody's answer yet
            return
        stable = labels.told.get(STABLE)
        if stable in present:  # what everybody waits for comes first
            self._obtain(name, stable)
        chosen: set[int] = set()
        wanted = labels.wanted | self._wanted.get(name, frozenset())
        for version in reversed(present):
            is_asked_for = len(chosen) < self._keep_versions or version in wanted
            if is_asked_for and self._obtain(name, version):
                chosen.add(version)
        if chosen:
            loaded = self._loaded[name]
            kept = {version for label, version in labels.meant(loaded).items() if label == STABLE}
            self._let_go(name, set(loaded) - chosen - kept)

    def _look_at_labels(self, name: str, present: list[int]) -> StoreLabels:
        labels = self._labels.setdefault(name, StoreLabels(self._store / name))
        before, told = labels.trouble, labels.told
        labels.look(present)
        if labels.trouble and labels.trouble != before:
            log.warning(labels.trouble, extra={"fields": {"model": name}})
        elif labels.told != told:
            log.info("labels read", extra={"fields": {"model": name, "labels": dict(labels.told)}})
        return labels

    def _obtain(self, name: str, version: int) -> bool:
        """Load a version unless it is loaded; False if it is refused."""
        if version in self._loaded.get(name, {}):
            return True
        served = self._try(name, version)
        if served is None:
            return False
        self._loaded[name] = {**self._loaded.get(name, {}), version: served}
        self._publish()
        return True

    def _let_go(self, name: str, versions: set[int]) -> None:
        for version in sorted(versions):
            log.info("version let go", extra={"fields": {"model": name, "version": version}})
        self._loaded[name] = {
            version: served for version, served in self._loaded[name].items() if version not in versions
        }

    def _try(self, name: str, version: int) -> ServedVersion | None:
        fingerprint = _fingerprint(self._store / name / str(version))
        earlier = self._refused[name].get(version)
        if earlier is not None and earlier.fingerprint == fingerprint:
            return None
        self._publish(loading=(name, version))
        fields = {"model": name, "version": version}
        try:
            served = self._load(name, version)
        except (ContractError, OSError) as error:
            reason = str(error).replace(str(self._store / name / str(version)), f"{name}/{version}")
            self._refused[name][version] = _Refusal(reason, fingerprint)
            if earlier is None or earlier.reason != reason:
                log.error("version refused", extra={"fields": {**fields, "reason": reason}})  # noqa: TRY400 - the reason says it all, a traceback nothing
            return None
        self._refused[name].pop(version, None)
        log.info("version available", extra={"fields": {**fields, "digest": served.digest}})
        return served

    def _publish(self, loading: tuple[str, int] | None = None) -> None:
        names = {*self._loaded, *self._refused, *(() if loading is None else loading[:1])}
        found = (
            self._status(name, loading[1] if loading and loading[0] == name else None)
            for name in sorted(names)
        )
        self.models = tuple(model for model in found if model.versions or model.troubles)

    def _status(self, name: str, loading: int | None) -> ModelStatus:
        labels, loaded = self._labels[name], self._loaded.get(name, {})
        meant = labels.meant(loaded)
        return ModelStatus(
            name,
            self._statuses(name, loading),
            meant,
            preferred(meant, loaded),
            tuple(_troubles(labels, meant, loaded)),
        )

    def _statuses(self, name: str, loading: int | None) -> tuple[VersionStatus, ...]:
        found = {
            version: VersionStatus(version, "refused", reason=refusal.reason)
            for version, refusal in self._refused.get(name, {}).items()
        }
        for version, served in self._loaded.get(name, {}).items():
            found[version] = VersionStatus(version, "available", served=served)
        if loading is not None:
            found[loading] = VersionStatus(loading, "loading")
        return tuple(found[version] for version in sorted(found, reverse=True))

    def _report_trouble(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            log.warning(trouble)
        self._trouble = trouble


def _troubles(labels: StoreLabels, meant: Mapping[str, int], loaded: Collection[int]) -> Iterator[str]:
    if labels.trouble:
        yield labels.trouble
    for label, version in labels.told.items():
        if version not in loaded:
            instead = (
                f"{meant[label]} answers for it" if meant[label] != version else "nothing answers for it"
            )
            yield f"The label {label} names version {version}, which is not loaded; {instead}."


def _fingerprint(folder: Path) -> Fingerprint:
    """Names, sizes and times of a version's files: what changes while someone is still copying it."""
    try:
        facts = [(path.name, path.stat()) for path in sorted(folder.rglob("*"))]
    except OSError:  # something vanished meanwhile: the next look sees another state
        return ()
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in facts)
