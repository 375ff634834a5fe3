"""Components go together, as overlays of users would have them: two by two, and as many as can be."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Final

import pytest

from k8s.checks.every import faults
from k8s.combinations import CONTRADICTIONS, LARGEST, PAIRS, in_order, matters
from k8s.rendering import COMPONENTS, Object, combined

UNORDERED: Final = {"env", "envFrom", "volumes", "volumeMounts", "ports", "tolerations"}
"""Lists whose order means nothing, so that two components may add to them in any order."""


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_alone_has_no_fault(component: str) -> None:
    """Each component stands on the base without any other."""
    assert [] == faults(combined([component]))


@pytest.mark.parametrize("chosen", [*PAIRS, *LARGEST], ids="+".join)
def test_components_together_have_no_fault(chosen: tuple[str, ...]) -> None:
    """Any two components, and as many as go together, leave nothing that refers to nothing."""
    assert [] == [fault for fault in faults(combined(chosen)) if matters(fault, chosen)]


NOT_ABOVE_LOCAL: Final = {
    "cpu": "it is in it",
    "demo": "it is in it",
    "gpu": "it takes the place of cpu",
    "capture": "its volume is for many nodes: above local it takes a patch to ReadWriteOnce",
    "several-machines": "likewise",
}


@pytest.mark.parametrize("component", sorted({*COMPONENTS} - {*NOT_ABOVE_LOCAL}))
def test_a_component_above_the_local_overlay_has_no_fault(component: str) -> None:
    """As READMEs show it: an overlay of a user's own above one of ours."""
    assert [] == faults(combined([component], ["overlays/local"]))


@pytest.mark.parametrize("chosen", LARGEST, ids="+".join)
def test_components_may_come_in_any_order(chosen: tuple[str, ...]) -> None:
    """Components give the same, whichever is named first, but for the few that come first or last."""
    forward = combined(chosen)
    assert _settled(forward) == _settled(combined(in_order(chosen[::-1])))
    middle = len(chosen) // 2
    assert _settled(forward) == _settled(combined(in_order(chosen[middle:] + chosen[:middle])))


def _settled(objects: Sequence[Object]) -> list[Any]:
    sortable = [_sorted(deepcopy(found), "") for found in objects]
    return sorted(sortable, key=lambda found: (found["kind"], found["metadata"]["name"]))


def _sorted(found: Any, key: str) -> Any:
    if isinstance(found, dict):
        return {inner: _sorted(value, inner) for inner, value in found.items()}
    if isinstance(found, list):
        items = [_sorted(value, "") for value in found]
        if key == "args" and items[0] == "retrain":  # KEY=VALUE, each key once
            return sorted(items)
        return sorted(items, key=str) if key in UNORDERED else items
    return found


def test_contradictions_are_of_components_that_exist() -> None:
    """The table names components, each pair once and sorted, with a reason."""
    assert all(set(pair) <= {*COMPONENTS} and list(pair) == sorted(pair) for pair in CONTRADICTIONS)
    assert all(CONTRADICTIONS.values())
