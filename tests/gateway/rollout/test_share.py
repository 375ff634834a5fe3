"""Who meets the canary."""

import os
import subprocess
import sys
from itertools import pairwise

import pytest

from pictor_gateway.rollout.share import is_within

KEYS = [f"session-{number}" for number in range(5000)]


def _chosen(share: float, model: str = "pets") -> set[str]:
    return {key for key in KEYS if is_within(share, model, key)}


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_about_as_many_sessions_are_chosen_as_asked_for(share: float) -> None:
    """Five standard deviations are allowed."""
    deviation = (share * (1 - share) / len(KEYS)) ** 0.5
    assert abs(len(_chosen(share)) / len(KEYS) - share) < 5 * deviation


def test_a_larger_share_only_adds_sessions() -> None:
    """Nobody who met the canary is sent back while it gets more traffic."""
    chosen = [_chosen(share) for share in (0.0, 0.01, 0.1, 0.5, 0.9, 1.0)]
    assert all(small < large for small, large in pairwise(chosen))
    assert (set(), set(KEYS)) == (chosen[0], chosen[-1])


def test_two_models_choose_independently() -> None:
    """Or one unlucky session would meet every canary there is."""
    both = len(_chosen(0.5, "pets") & _chosen(0.5, "digits")) / len(KEYS)
    assert 0.2 < both < 0.3


def test_every_process_chooses_alike() -> None:
    """Whatever Python salts its own hashes with."""
    code = (
        "from pictor_gateway.rollout.share import is_within\n"
        "print([key for key in range(200) if is_within(0.3, 'pets', f'session-{key}')])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert {f"{[key for key in range(200) if is_within(0.3, 'pets', f'session-{key}')]}\n"} == told


@pytest.mark.parametrize("key", ["", "åäö", "x" * 10_000, "\x00"])
def test_any_header_is_a_key(key: str) -> None:
    """A stranger chooses it."""
    assert is_within(1.0, "p" * 64, key)
    assert not is_within(0.0, "p" * 64, key)
