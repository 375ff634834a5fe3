"""W3C trace context: read what a caller sends (https://www.w3.org/TR/trace-context/)."""

import re
from dataclasses import dataclass

from starlette.datastructures import Headers

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_KEY = r"[a-z0-9][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
_MEMBER = re.compile(rf"({_KEY})=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e])")
_MOST_MEMBERS = 32
_NO_VERSION = "ff"
_OUR_VERSION = "00"
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The trace a request belongs to. `state`: what other tracing systems noted, key and value in order."""

    trace_id: str
    parent_id: str
    sampled: bool
    state: tuple[tuple[str, str], ...] = ()

    @property
    def traceparent(self) -> str:
        """The header that hands it on, in the version we know, with the flag we know."""
        return f"{_OUR_VERSION}-{self.trace_id}-{self.parent_id}-{int(self.sampled):02x}"


def read_trace_context(headers: Headers) -> TraceContext | None:
    """Return the caller's trace context, or nothing if there is none or it is malformed."""
    given = headers.getlist("traceparent")
    found = _PARENT.fullmatch(given[0].strip(" \t")) if len(given) == 1 else None
    if found is None:
        return None
    version, trace_id, parent_id, flags, rest = found.groups()
    if version == _NO_VERSION or not trace_id.strip("0") or not parent_id.strip("0"):
        return None
    if version == _OUR_VERSION and rest:  # only a later version may say more
        return None
    sampled = bool(int(flags, 16) & _SAMPLED)
    return TraceContext(trace_id, parent_id, sampled, _read_state(headers.getlist("tracestate")))


def _read_state(lines: list[str]) -> tuple[tuple[str, str], ...]:
    """Return the members; none at all if one is malformed, as the standard allows."""
    members = [text for text in (member.strip(" \t") for member in ",".join(lines).split(",")) if text]
    found = [member for member in map(_MEMBER.fullmatch, members) if member is not None]
    state = {member[1]: member[2] for member in found}
    if len(members) > _MOST_MEMBERS or len(state) < len(members):  # malformed, or a key given twice
        return ()
    return tuple(state.items())
