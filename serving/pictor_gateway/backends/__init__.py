"""What answers: a model behind a small protocol."""

from pictor_gateway.backends.protocol import Backend, Inference, ModelStatus, ServedVersion, VersionStatus

__all__ = ["Backend", "Inference", "ModelStatus", "ServedVersion", "VersionStatus"]
