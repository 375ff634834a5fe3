"""Which version labels are asked about: the configured ones, and those that requests have named."""

import re
from collections.abc import Collection, Iterable
from time import monotonic
from typing import Final

_FORM: Final = re.compile(r"[a-zA-Z0-9_]{1,64}", re.ASCII)
"""What TensorFlow Serving's own REST addresses allow in a label, and no more of it than makes sense."""

_MOST_LABELS: Final = 64
"""Of one model, together: each costs a call of every server at each look."""

_DENIED_FOR_S: Final = 1.0
"""How long a label that no version has is not asked about again."""


class LabelList:
    """The labels of one model. A stranger who invents labels costs some calls a second, and little memory."""

    def __init__(self, configured: Iterable[str]) -> None:
        self._configured = tuple(configured)
        self._learnt: set[str] = set()
        self._denied: dict[str, float] = {}

    @property
    def asked(self) -> tuple[str, ...]:
        """Those that each look asks about."""
        return (*self._configured, *sorted(self._learnt.difference(self._configured)))

    def is_worth_asking(self, label: str) -> bool:
        """Whether a version might have `label`, and nobody has just been asked."""
        if label in self.asked:
            return True
        now = monotonic()
        self._denied = {denied: until for denied, until in self._denied.items() if until > now}
        room = label not in self._denied and len(self._denied) < _MOST_LABELS
        return room and _FORM.fullmatch(label) is not None

    def learn(self, label: str, known: Collection[str]) -> None:
        """Ask about `label` from now on; among too many, those that no version has (`known`) give way."""
        if len(self.asked) >= _MOST_LABELS:
            self._learnt.intersection_update(known)
        if len(self.asked) < _MOST_LABELS:
            self._learnt.add(label)

    def deny(self, label: str) -> None:
        """Note that no version has `label`."""
        self._denied[label] = monotonic() + _DENIED_FOR_S
