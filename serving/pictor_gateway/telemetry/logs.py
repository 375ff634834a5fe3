"""JSON lines: one per request, and one for whatever else happens.

Out of reach: libtiff, inside Pillow, writes its complaints about broken files to stderr as plain text.
"""

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

import orjson

from pictor_gateway.telemetry.facts import RequestFacts
from pictor_gateway.telemetry.log_writer import BackgroundWriter

access_log = logging.getLogger("pictor.access")

PROBE = "probe"
"""The dialect of probes and metrics.

They come every few seconds from several places; their lines would bury the rest.
"""


_CHATTY = ("httpcore", "urllib3")
"""Libraries whose debug lines hold whole addresses, with what may be secret in them."""


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
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # half a surrogate pair, as in the name of a file that is not UTF-8
            return json.dumps(line, default=str)


def configure_logging(level: str, stream: TextIO) -> None:
    """Send every logger's lines to `stream`. For the process that owns the terminal, and for no library."""
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
    handler = BackgroundWriter(stream)
    handler.setFormatter(JsonLines())
    root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # what it warns of, the answer says
    if level != "debug":
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # our own lines say when it starts and ends


def log_request(method: str, facts: RequestFacts) -> None:
    """Write the request's line: what was asked, what came of it, how long it took. No pixels, no query."""
    level = logging.DEBUG if facts.dialect == PROBE else logging.INFO
    if not access_log.isEnabledFor(level):
        return
    fields = {
        "request_id": facts.request_id,
        "trace_id": facts.trace_id,
        "dialect": facts.dialect,
        "method": method,
        "route": facts.route,
        "status": facts.status,
        "outcome": facts.outcome,
        "code": facts.code,
        "model": facts.model,
        "version": facts.version,
        "backend": facts.backend,
        "key": facts.key,
        "pictures": facts.pictures,
        "timings_ms": facts.timings_ms(),
    }
    access_log.log(level, "request", extra={"fields": fields})
