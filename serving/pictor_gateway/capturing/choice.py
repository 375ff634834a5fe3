"""Which of the pictures that were answered are captured."""

from collections import OrderedDict
from collections.abc import Mapping
from random import random

import numpy as np
from numpy.typing import NDArray

from pictor_gateway.backends.protocol import ServedVersion
from pictor_gateway.capturing.certainty import LeastCertain, certainty_of
from pictor_store.samples.records import Reason

CONSENT_HEADER = "x-capture-consent"

_MOST_VERSIONS = 16
"""Versions whose certainty is followed; a version that none of so many was answered by since is forgotten."""


class Choice:
    """Picks by chance, and the least certain of each version. Used from the event loop only."""

    def __init__(self, rate: float, uncertain_rate: float, *, needs_consent: bool) -> None:
        self._rate = rate
        self._uncertain_rate = uncertain_rate
        self._needs_consent = needs_consent
        self._least: OrderedDict[tuple[str, int], LeastCertain] = OrderedDict()

    def allows(self, headers: Mapping[str, str]) -> bool:
        """Whether the request's pictures may be kept: a "no" holds always, a "yes" may be asked for."""
        said = headers.get(CONSENT_HEADER, "").strip().lower()
        return said == "yes" or (not said and not self._needs_consent)

    def of(self, served: ServedVersion, scores: NDArray[np.float32]) -> Reason | None:
        """Return why the picture with these scores is captured; None if it is not."""
        uncertain = self._uncertain_rate > 0 and self._least_of(served).note(
            certainty_of(served.contract, scores)
        )
        if random() < self._rate:  # noqa: S311 - a sample, not a secret
            return "sampled"
        return "uncertain" if uncertain else None

    def _least_of(self, served: ServedVersion) -> LeastCertain:
        key = served.name, served.version
        found = self._least.get(key)
        if found is None:
            found = self._least[key] = LeastCertain(self._uncertain_rate)
            if len(self._least) > _MOST_VERSIONS:
                self._least.popitem(last=False)
        else:
            self._least.move_to_end(key)
        return found
