"""The gate's word: what was looked at, what was found, what follows."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Decision = Literal["PROMOTE", "HOLD", "REJECT"]
Outcome = Literal["passed", "hold", "reject", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the challenger. `measured` and `limit` are a few words, `reason` is a sentence."""

    name: str
    outcome: Outcome
    measured: str
    limit: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """PROMOTE if no check objects; REJECT if the challenger is broken, HOLD if it is not good enough."""

    checks: tuple[Check, ...]
    champion: int | None
    figures: dict[str, Any]

    @property
    def decision(self) -> Decision:
        """The worst of the checks decides."""
        outcomes = {check.outcome for check in self.checks}
        if "reject" in outcomes:
            return "REJECT"
        return "HOLD" if "hold" in outcomes else "PROMOTE"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not PROMOTE, a sentence each."""
        return tuple(check.reason for check in self.checks if check.outcome in ("hold", "reject"))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for verdict.json."""
        return {"decision": self.decision, "reasons": list(self.reasons), **asdict(self)}
