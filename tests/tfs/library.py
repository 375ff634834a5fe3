"""Which versions of which models there are, in which states, under which labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Final

import grpc

from tfs.apis import get_model_status_pb2
from tfs.models import Model, Refused

State = get_model_status_pb2.ModelVersionStatus.State

AVAILABLE: Final = "AVAILABLE"


@dataclass(frozen=True, slots=True)
class Version:
    """One version's state; `model` while it is loaded."""

    number: int
    state: str
    model: Model | None = None
    code: int = 0
    message: bytes = b""


@dataclass
class _Entry:
    versions: dict[int, Version] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)


class Library:
    """All models of one server; may be changed from any thread while it answers."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._entries: dict[str, _Entry] = {}

    def put(self, name: str, version: Version) -> None:
        """Add a version or replace what is known of it."""
        with self._lock:
            self._entries.setdefault(name, _Entry()).versions[version.number] = version

    def label(self, name: str, label: str, number: int | None) -> None:
        """Let `label` mean a version, which need not be there; None takes it away."""
        with self._lock:
            labels = self._entries.setdefault(name, _Entry()).labels
            labels.pop(label, None)
            if number is not None:
                labels[label] = number

    def names(self) -> list[str]:
        """Return the models that have a version, in whatever state."""
        with self._lock:
            return sorted(name for name, entry in self._entries.items() if entry.versions)

    def known(self, name: str) -> dict[int, Version]:
        """Return a model's versions."""
        with self._lock:
            return dict(self._known(name))

    def labels(self, name: str) -> dict[str, int]:
        """Return a model's labels."""
        with self._lock:
            return dict(self._entries[name].labels) if name in self._entries else {}

    def relabel(self, labels: Mapping[str, Mapping[str, int]]) -> None:
        """Take all labels away and give these, by model."""
        with self._lock:
            for entry in self._entries.values():
                entry.labels = {}
            for name, given in labels.items():
                self._entries.setdefault(name, _Entry()).labels = dict(given)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def forget_ended(self) -> None:
        """Drop the versions that have ended, as a new process does."""
        with self._lock:
            for entry in self._entries.values():
                entry.versions = {
                    number: one
                    for number, one in entry.versions.items()
                    if one.state not in ("UNLOADING", "END")
                }

    def find(self, spec: Any) -> tuple[Version, Model]:
        """Return the version that a request means.

        Raises:
            Refused: there is none.
        """
        number = self._number(spec)
        with self._lock:
            known = self._known(spec.name)
            if number is None:
                loaded = [one.number for one in known.values() if one.state == AVAILABLE]
                number = max(loaded, default=None)
            version = known.get(number) if number is not None else None
        if version is None or version.state != AVAILABLE or version.model is None:
            wanted = f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}")
        return version, version.model

    def status(self, spec: Any) -> tuple[Version, ...]:
        """Return the versions that a request for status means, newest first.

        Raises:
            Refused: there are none.
        """
        number = self._number(spec)
        with self._lock:
            known = self._known(spec.name)
            if not known:
                raise Refused(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {spec.name}")
            if number is None:
                return tuple(known[one] for one in sorted(known, reverse=True))
            if number not in known:
                raise Refused(
                    grpc.StatusCode.NOT_FOUND, f"Could not find version {number} of model {spec.name}"
                )
            return (known[number],)

    def _known(self, name: str) -> Mapping[int, Version]:
        entry = self._entries.get(name)
        return entry.versions if entry is not None else {}

    def _number(self, spec: Any) -> int | None:
        if not spec.name:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return int(spec.version.value)
        if choice is None:
            return None
        with self._lock:
            entry = self._entries.get(spec.name)
            number = entry.labels.get(spec.version_label) if entry is not None else None
        if number is None:
            raise Refused(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"Unrecognized servable version label: {spec.version_label}",
            )
        return number
