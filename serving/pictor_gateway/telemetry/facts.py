"""What is learnt about one request on its way, for its headers, its log line and the metrics."""

from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.types import Scope

if TYPE_CHECKING:
    from pictor_gateway.backends.protocol import (
        ServedVersion,
    )  # which asks for deadlines, which ask for facts

STAGES = ("read", "decode", "queue", "inference")
"""In the order of the way: body, pixels, waiting for a worker, the model."""

UNKNOWN = "other"
"""The label of what is not known: metric labels come from short lists, never from the request."""

_OUTCOME_BY_CODE = {
    "backend_unavailable": "backend_error",
    "body_timeout": "timeout",
    "client_gone": "cancelled",
    "deadline_exceeded": "timeout",
    "feedback_not_kept": "error",
    "inference_failed": "backend_error",
    "internal_error": "error",
    "model_not_ready": "backend_error",
    "overloaded": "rejected",
    "rate_limited": "rate_limited",
    "url_fetch_failed": "client_error",  # whoever named that server can mend it, not who runs this one
}
"""Where the code says more than the status, which each dialect may choose for itself."""

_OUTCOME_BY_STATUS = {
    0: "cancelled",  # nobody was left to answer
    408: "timeout",
    429: "rate_limited",
    499: "cancelled",
    502: "backend_error",
    503: "rejected",
    504: "timeout",
}


@dataclass(frozen=True, slots=True)
class StageNote:
    """A stage took `seconds` and had ended by `noted`, on `perf_counter`'s clock."""

    stage: str
    seconds: float
    noted: float


@dataclass(slots=True)
class RequestFacts:
    """One request's notes. Written by the handlers, read by the door when the answer leaves.

    `traceparent` is the W3C trace context that calls made for this request hand on, `trace_id` its trace;
    both are "" without one. `key` is the name of the client's API key, never the key. `headers` go with the
    answer, whatever it is.
    """

    request_id: str
    dialect: str = UNKNOWN
    route: str = UNKNOWN
    served: "ServedVersion | None" = None
    status: int = 0
    code: str = ""
    key: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    trace_id: str = ""
    traceparent: str = ""
    pictures: list[dict[str, Any]] = field(default_factory=list)
    stages: list[StageNote] = field(default_factory=list)
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
    def backend(self) -> str:
        """Who answers, or `UNKNOWN`: "tensorflow_serving" or "embedded"."""
        return UNKNOWN if self.served is None else self.served.backend

    @property
    def outcome(self) -> str:
        """One word for how it ended, from a short list."""
        word = _OUTCOME_BY_CODE.get(self.code) or _OUTCOME_BY_STATUS.get(self.status)
        if word is not None:
            return word
        if self.status >= 500:  # noqa: PLR2004 - HTTP's own boundary between the two sides' faults
            return "error"
        return "ok" if self.status < 400 else "client_error"  # noqa: PLR2004 - the same

    @property
    def stages_s(self) -> dict[str, float]:
        """Seconds by stage, of those that were passed."""
        totals: dict[str, float] = {}
        for note in self.stages:
            totals[note.stage] = totals.get(note.stage, 0.0) + note.seconds
        return totals

    def add(self, stage: str, seconds: float) -> None:
        """Count `seconds` into `stage`, which has just ended."""
        self.stages.append(StageNote(stage, seconds, perf_counter()))

    def elapsed_s(self) -> float:
        """Seconds since the request arrived, until its answer began."""
        return perf_counter() - self.started if self.answered_s is None else self.answered_s

    def timings_ms(self) -> dict[str, float]:
        """Return milliseconds by stage, and in total."""
        passed = self.stages_s
        stages = {stage: round(passed.get(stage, 0.0) * 1000, 3) for stage in STAGES}
        return {**stages, "total": round(self.elapsed_s() * 1000, 3)}


def keep_facts(scope: Scope, facts: RequestFacts) -> None:
    """Attach `facts` to the request."""
    scope.setdefault("state", {})["facts"] = facts


def facts_of(request: Request) -> RequestFacts:
    """Return what the door attached to the request."""
    facts: RequestFacts = request.state.facts
    return facts
