"""Which versions of a store's models are served: the newest healthy ones, whatever happens on disk."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from pictor_contract import ContractError
from pictor_contract.artifact import list_models, list_versions
from pictor_gateway.backends.protocol import ModelStatus, ServedVersion, VersionStatus

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
    there is none, what is in memory goes on.
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
        wanted = self._wanted.get(name, frozenset())
        chosen: dict[int, ServedVersion] = {}
        for version in reversed(present):
            if len(chosen) >= self._keep_versions and version not in wanted:
                continue
            served = self._loaded.get(name, {}).get(version) or self._try(name, version)
            if served is not None:
                chosen[version] = served
                self._loaded[name] = {**self._loaded.get(name, {}), **chosen}
                self._publish()
        if chosen:
            self._let_go(name, set(self._loaded[name]) - set(chosen))

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
        self.models = tuple(
            ModelStatus(name, versions)
            for name in sorted(names)
            if (versions := self._statuses(name, loading[1] if loading and loading[0] == name else None))
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


def _fingerprint(folder: Path) -> Fingerprint:
    """Names, sizes and times of a version's files: what changes while someone is still copying it."""
    try:
        facts = [(path.name, path.stat()) for path in sorted(folder.rglob("*"))]
    except OSError:  # something vanished meanwhile: the next look sees another state
        return ()
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in facts)
