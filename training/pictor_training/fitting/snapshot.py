"""Between a live run and its checkpoint: which variables belong to it, and back into them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pictor_training.errors import TrainingError
from pictor_training.fitting.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pictor_training.fitting.identity import refuse_other_run
from pictor_training.fitting.optimiser import optimiser_state
from pictor_training.fitting.state import RunState


class Snapshots:
    """The checkpoint of one run, the live variables it is taken from, and the best weights so far."""

    def __init__(
        self, path: Path, identity: Mapping[str, Any], model: keras.Model, figures: Sequence[keras.Variable]
    ) -> None:
        self.path = path
        self._identity = identity
        self._model = model
        self._best: list[NDArray[Any]] = []
        self._live = {
            "model": model.variables,  # with batch normalisation's statistics and the dropouts' random state
            "optimiser": optimiser_state(model.optimizer),
            "figures": list(figures),
        }

    @property
    def variables(self) -> list[keras.Variable]:
        """All that moves, in an order that the network decides."""
        return [variable for group in self._live.values() for variable in group]

    def save(self, state: RunState) -> None:
        """Replace the checkpoint by the run as it is now."""
        groups = {name: [np.asarray(one) for one in variables] for name, variables in self._live.items()}
        write_checkpoint(self.path, Checkpoint(self._identity, state, {**groups, "best": self._best}))

    def restore(self) -> RunState:
        """Bring the variables back to the checkpoint; nothing is touched if it is refused.

        Raises:
            TrainingError: it is damaged, or of another network.
            ConfigError, DataError: it belongs to another run.

        """
        checkpoint = read_checkpoint(self.path)
        refuse_other_run(self.path, checkpoint.run, self._identity)
        for name, variables in self._live.items():
            self._refuse_other_shapes(name, variables, checkpoint.groups.get(name, ()))
        if checkpoint.groups.get("best"):
            self._refuse_other_shapes("best", self._model.weights, checkpoint.groups["best"])
        for name, variables in self._live.items():
            for variable, value in zip(variables, checkpoint.groups[name], strict=True):
                variable.assign(value)
        self._best = list(checkpoint.groups.get("best", ()))
        return checkpoint.state

    def keep_best(self) -> None:
        """Remember the weights as they are now."""
        self._best = self._model.get_weights()

    def restore_best(self) -> None:
        """Put the remembered weights back into the model."""
        self._model.set_weights(self._best)

    def _refuse_other_shapes(
        self, name: str, variables: Sequence[keras.Variable], values: Sequence[NDArray[Any]]
    ) -> None:
        wanted = [(tuple(one.shape), np.dtype(one.dtype)) for one in variables]
        received = [(value.shape, value.dtype) for value in values]
        if wanted != received:
            differing = [f"{w} here, {r} there" for w, r in zip(wanted, received, strict=False) if w != r]
            raise TrainingError(
                f"The checkpoint {self.path} is of another network: its {name} holds {len(received)} arrays "
                f"where {len(wanted)} are needed{', first other one: ' + differing[0] if differing else ''}. "
                "Start a new run."
            )
