"""What is learnt about one request on its way, for its headers, its log line and the metrics."""

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from starlette.requests import Request
from starlette.types import Scope

from pictor_gateway.backends.protocol import ServedVersion

STAGES = ("read", "decode", "queue", "inference")
"""In the order of the way: body, pixels, waiting for a worker, the model."""

UNKNOWN = "other"
"""The label of what is not known: metric labels come from short lists, never from the request."""


@dataclass(slots=True)
class RequestFacts:
    """One request's notes. Written by the handlers, read by the door when the answer leaves."""

    request_id: str
    dialect: str = UNKNOWN
    route: str = UNKNOWN
    served: ServedVersion | None = None
    status: int = 0
    code: str = ""
    pictures: list[dict[str, Any]] = field(default_factory=list)
    stages_s: dict[str, float] = field(default_factory=dict)
    stage: str = "read"
    body_read: bool = False
    started: float = field(default_factory=perf_counter)
    answered_s: float | None = None

    @property
    def model(self) -> str:
        """The model's name, or `UNKNOWN`: safe as a metric label."""
        return UNKNOWN if self.served is None else self.served.name

    @property
    def version(self) -> str:
        """The model's version, or `UNKNOWN`: safe as a metric label."""
        return UNKNOWN if self.served is None else str(self.served.version)

    @property
    def outcome(self) -> str:
        """One word for how it ended, from a short list."""
        words = {0: "cancelled", 408: "timeout", 499: "cancelled", 503: "rejected", 504: "timeout"}
        if self.status in words:
            return words[self.status]
        if self.status >= 500:  # noqa: PLR2004 - HTTP's own boundary between the two sides' faults
            return "error"
        return "ok" if self.status < 400 else "client_error"  # noqa: PLR2004 - the same

    def add(self, stage: str, seconds: float) -> None:
        """Count `seconds` into `stage`."""
        self.stages_s[stage] = self.stages_s.get(stage, 0.0) + seconds

    def elapsed_s(self) -> float:
        """Seconds since the request arrived, until its answer began."""
        return perf_counter() - self.started if self.answered_s is None else self.answered_s

    def timings_ms(self) -> dict[str, float]:
        """Return milliseconds by stage, and in total."""
        stages = {stage: round(self.stages_s.get(stage, 0.0) * 1000, 3) for stage in STAGES}
        return {**stages, "total": round(self.elapsed_s() * 1000, 3)}


def keep_facts(scope: Scope, facts: RequestFacts) -> None:
    """Attach `facts` to the request."""
    scope.setdefault("state", {})["facts"] = facts


def facts_of(request: Request) -> RequestFacts:
    """Return what the door attached to the request."""
    facts: RequestFacts = request.state.facts
    return facts
