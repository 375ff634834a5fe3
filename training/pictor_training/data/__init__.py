"""From picture files to rows: found, read, decoded once, freed of duplicates, divided and audited.

::

    folders, manifest ─▶ source ─▶ survey (what "auto" means)
                           │
                           ▼
                        prepare: contents ─▶ cache ─▶ duplicates ─▶ split ─▶ findings ─▶ audit
"""

from pictor_training.data.audit import Audit
from pictor_training.data.example import Example
from pictor_training.data.prepare import PreparedData, prepare
from pictor_training.data.source import Source, read_source
from pictor_training.data.survey import resolve_input

__all__ = ["Audit", "Example", "PreparedData", "Source", "prepare", "read_source", "resolve_input"]
