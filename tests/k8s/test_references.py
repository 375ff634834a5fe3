"""What no schema sees: all refers to what is there, is safe, and ends; and the checks do find mistakes."""

from typing import Final

import pytest

from k8s.checks.every import CHECKS, faults
from k8s.mistakes import MOUNTS, PROBES, REFERENCES, SECURITY
from k8s.mistakes_of_code import CODE
from k8s.mistakes_of_work import JOBS, NAMES, WORKLOADS
from k8s.mutations import Mistake
from k8s.rendering import OVERLAYS, overlay

MISTAKES: Final = [*REFERENCES, *MOUNTS, *SECURITY, *PROBES, *WORKLOADS, *JOBS, *NAMES, *CODE]


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_has_no_fault(name: str) -> None:
    """No check finds anything in what is applied."""
    assert [] == faults(overlay(name))


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_is_found(mistake: Mistake) -> None:
    """The check that is there for a mistake says something that it does not say without it."""
    check = CHECKS[mistake.found_by]
    assert set() != set(check(mistake.made())) - set(check(overlay(mistake.on)))


def test_every_check_has_its_mistake() -> None:
    """A check that no mistake needs proves nothing."""
    assert set() == set(CHECKS) - {mistake.found_by for mistake in MISTAKES}
