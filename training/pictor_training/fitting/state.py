"""Where a run stands, apart from its weights: small enough for JSON, and part of every checkpoint."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from pictor_training.fitting.history import Row


@dataclass(slots=True)
class Patience:
    """Watches one figure epoch by epoch and counts those without progress."""

    best: float | None = None
    best_epoch: int = 0
    waited: int = 0

    def saw(self, value: float, epoch: int, *, higher_is_better: bool, least: float = 0.0) -> bool:
        """Take note of `value`; whether it beats the best so far by more than `least`."""
        gain = None if self.best is None else (value - self.best if higher_is_better else self.best - value)
        if gain is not None and gain <= least:
            self.waited += 1
            return False
        self.best, self.best_epoch, self.waited = value, epoch, 0
        return True


@dataclass(slots=True)
class RunState:
    """Counters and curves of a run under way."""

    epoch: int = 0
    """Epochs finished, validation included."""
    step: int = 0
    """Steps finished of the epoch under way."""
    epoch_seconds: float = 0.0
    """Time spent on the epoch under way, before the last interruption too."""
    history: list[Row] = field(default_factory=list)
    stopping: Patience = field(default_factory=Patience)
    plateau: Patience = field(default_factory=Patience)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what `to_dict` returned; raises KeyError or TypeError on anything else."""
        patiences = {name: Patience(**data[name]) for name in ("stopping", "plateau")}
        return cls(**{**data, **patiences})
