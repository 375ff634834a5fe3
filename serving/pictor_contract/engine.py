"""What holds for ONNX Runtime wherever it is loaded, in gateways and in training; it is not loaded here."""

import os
from typing import Final

_OFF: Final = "ORT_DISABLE_TELEMETRY"


def silence_engine() -> None:
    """Keep ONNX Runtime from noting a number for the machine under HOME, and its use for its makers.

    Call it before `import onnxruntime`: that writes already, and `disable_telemetry_events` comes too late
    (release 1.32). Whoever set the variable has chosen.
    """
    os.environ.setdefault(_OFF, "1")
