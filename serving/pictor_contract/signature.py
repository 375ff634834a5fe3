"""The names and the tolerance by which every form of a model is asked and believed."""

from typing import Final

IMAGES: Final = "images"
"""Input of `serving_default`: uint8 [N, height, width, channels]."""

SCORES: Final = "scores"
"""Its output: float32 [N, labels]."""

PROBE: Final = "probe"
"""Input of the signature `contract`: int32 [N]."""

CONTRACT: Final = "contract"
"""That signature, and its output: the contract's JSON, N times."""

TOLERANCE: Final = 1e-4
"""Largest allowed difference of a score between two forms of one model, or between two machines.

Rounding was measured at 1e-6, at 2.5e-5 where logits are in the hundreds; augmentation left active, at 0.2.
"""
