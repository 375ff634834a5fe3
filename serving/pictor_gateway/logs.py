"""JSON lines: one per request, and one for whatever else happens.

Out of reach: libtiff, inside Pillow, writes its complaints about broken files to stderr as plain text.
"""

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

from pictor_gateway.facts import RequestFacts

access_log = logging.getLogger("pictor.access")

_QUIET_DIALECT = "probe"
"""Probes come every few seconds from several places; their lines would bury the rest."""


class JsonLines(logging.Formatter):
    """Each record as one JSON object; `extra={"fields": {...}}` adds members."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: str, stream: TextIO) -> None:
    """Send every logger's lines to `stream`. For the process that owns the terminal, and for no library."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    if level != "debug":
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # our own lines say when it starts and ends


def log_request(method: str, facts: RequestFacts) -> None:
    """Write the request's line: what was asked, what came of it, how long it took. No pixels, no query."""
    level = logging.DEBUG if facts.dialect == _QUIET_DIALECT else logging.INFO
    if not access_log.isEnabledFor(level):
        return
    fields = {
        "request_id": facts.request_id,
        "method": method,
        "route": facts.route,
        "status": facts.status,
        "outcome": facts.outcome,
        "code": facts.code,
        "model": facts.model,
        "version": facts.version,
        "pictures": facts.pictures,
        "timings_ms": facts.timings_ms(),
    }
    access_log.log(level, "request", extra={"fields": fields})
