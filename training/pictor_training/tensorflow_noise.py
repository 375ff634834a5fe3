"""TensorFlow's own lines on stderr, which would bury ours, and what ONNX Runtime would note down."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

from pictor_contract.engine import silence_engine

_INFORMATIONAL = re.compile(rb"I\d{4} |WARNING: All log messages before absl::InitializeLog")


@contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Drop the informational lines that TensorFlow writes when it is imported in this block; keep others.

    They are written before its own level is read, so no variable silences them. For the rest of the process
    that level is fatal, unless the caller has set it: what matters reaches Python as an exception. ONNX
    Runtime, which training loads beside it, is kept from writing as well (`silence_engine`).
    """
    silence_engine()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    original = os.dup(2)
    with TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            written.seek(0)
            kept = [line for line in written if not _INFORMATIONAL.match(line)]
            os.write(2, b"".join(kept))
