"""Captured pictures and the labels that users gave: `layout.py` says where they lie."""

from pictor_store.samples.forgetting import Forgotten
from pictor_store.samples.layout import ID_BYTES, id_of
from pictor_store.samples.records import Judgement, LabelledPicture, Sample, day_text, utc_text
from pictor_store.samples.retention import Swept
from pictor_store.samples.samples import Samples, digest_of, open_samples

__all__ = [
    "ID_BYTES",
    "Forgotten",
    "Judgement",
    "LabelledPicture",
    "Sample",
    "Samples",
    "Swept",
    "day_text",
    "digest_of",
    "id_of",
    "open_samples",
    "utc_text",
]
