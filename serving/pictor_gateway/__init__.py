"""The HTTP gateway: `create_app` builds it from its settings, a backend and a metrics registry."""

from pictor_gateway.app import create_app
from pictor_gateway.backends import Backend, Inference, ModelStatus, ServedVersion, VersionStatus
from pictor_gateway.settings import InvalidSettings, Settings

__all__ = [
    "Backend",
    "Inference",
    "InvalidSettings",
    "ModelStatus",
    "ServedVersion",
    "Settings",
    "VersionStatus",
    "create_app",
]
