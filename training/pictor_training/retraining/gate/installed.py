"""Whether the gate can ask a gateway here at all; looked at before hours of training, not after."""

from importlib.util import find_spec

from pictor_training.errors import TrainingError
from pictor_training.retraining.gate.config import GateConfig


def require_gateway(config: GateConfig) -> None:
    """Make sure that the gateway is installed where the gate will ask it.

    Raises:
        TrainingError: the extra 'serving' is not installed.
    """
    if config.gateway and (find_spec("fastapi") is None or find_spec("pictor_gateway") is None):
        raise TrainingError(
            "The gate asks a real gateway, but the extra 'serving' is not installed here. Install "
            "pictor[serving,training], or set gate.gateway: false."
        )
