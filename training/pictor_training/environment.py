"""What a run's figures depend on besides its configuration: command, versions, machine."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = (
    "pictor",
    "tensorflow",
    "keras",
    "numpy",
    "pillow",
    "onnx",
    "onnxruntime",
    "tf2onnx",
    "scikit-learn",
)


def describe_environment(command: str) -> dict[str, Any]:
    """Return plain data for environment.json and the report; no user and no host is named."""
    return {
        "command": command,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        # The number of threads decides the order of additions, hence the last bits of every weight.
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # tensorflow-cpu and other builds go by other names
        return "not installed under this name"
