"""Which components go together: every pair that nothing speaks against, and the largest sets."""

import re
from collections.abc import Sequence
from itertools import combinations
from typing import Final

from k8s.rendering import COMPONENTS

CONTRADICTIONS: Final = {
    ("cpu", "gpu"): "TensorFlow Serving runs on the one or on the other",
    ("cpu", "embedded"): "there is no TensorFlow Serving to settle it for",
    ("embedded", "gpu"): "there is no TensorFlow Serving to settle it for",
    ("embedded", "keda"): "KEDA's component scales TensorFlow Serving, which is not there",
    ("embedded", "kserve"): "the gateway runs the model itself, or KServe does",
    ("cpu", "kserve"): "KServe's runtime takes the place of the Deployment that it settles",
    ("gpu", "kserve"): "KServe's runtime takes the place of the Deployment that it settles",
    ("embedded", "object-store"): "the gateways would read the volume that a bucket replaces",
    ("keda", "kserve"): "KServe scales what it runs",
    ("object-store", "several-machines"): "its workers share volumes of many nodes, which a bucket replaces",
    ("kserve", "object-store"): "KServe's runtime would read the volume that a bucket replaces",
}
"""Pairs that exclude each other, with the reason; k8s/README.md says the same to users."""


FIRST: Final = ("demo",)
"""Its job is a copy of the nightly one as it finds it; what comes later changes the nightly one alone."""

LAST: Final = ("object-store", "embedded")
"""In this order after all others: they change, or take away, what those bring."""

HARMLESS: Final = {
    ("embedded", "monitoring"): r"PodMonitor/pictor-tf-serving ",
    ("embedded", "network-policies"): r"NetworkPolicy/pictor-\S+ .*(selects no pod|not there.*tf-serving)",
}
"""What checks may say of a pair: it watches, or opens, what is not there, which does nothing."""


def in_order(chosen: Sequence[str]) -> tuple[str, ...]:
    """Return the components with those first and last that must be; the others stay as they are."""
    places = {**dict.fromkeys(FIRST, -1), **{name: place for place, name in enumerate(LAST, 1)}}
    return tuple(sorted(chosen, key=lambda name: places.get(name, 0)))


def matters(fault: str, chosen: Sequence[str]) -> bool:
    """Tell whether something that a check says of these components is a fault."""
    harmless = [words for pair, words in HARMLESS.items() if set(pair) <= {*chosen}]
    return not any(re.search(words, fault) for words in harmless)


def go_together(chosen: tuple[str, ...]) -> bool:
    """Tell whether no two of the components exclude each other."""
    return not any(pair in CONTRADICTIONS for pair in combinations(sorted(chosen), 2))


PAIRS: Final = [in_order(pair) for pair in combinations(COMPONENTS, 2) if go_together(pair)]


def _largest() -> list[tuple[str, ...]]:
    """Return every set that goes together and to which nothing can be added."""
    free = tuple(name for name in COMPONENTS if not any(name in pair for pair in CONTRADICTIONS))
    bound = [name for name in COMPONENTS if name not in free]
    sets = [
        chosen
        for size in range(len(bound) + 1)
        for chosen in combinations(bound, size)
        if go_together(chosen)
    ]
    whole = [one for one in sets if not any(set(one) < set(other) for other in sets)]
    return [in_order(sorted((*free, *one))) for one in whole]


LARGEST: Final = _largest()
