"""From pictures to scores: how pictures are put together into calls of the model."""

import numpy as np
from numpy.typing import NDArray

from pictor_gateway.backends.protocol import Inference, ServedVersion
from pictor_gateway.deadline import Deadline
from pictor_gateway.errors import InferenceFailed
from pictor_gateway.metrics import Metrics


class RequestBatches:
    """One request's pictures in as few calls as the model's largest batch allows.

    Pictures of different requests are not put together. What would do so has the same method, and takes
    this object's place in `create_app`.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def predict(
        self, served: ServedVersion, pictures: list[NDArray[np.uint8]], deadline: Deadline
    ) -> Inference:
        """Return scores [N, labels] in the order of `pictures`.

        Raises:
            DeadlineExceeded: time ran out before the last call began.
            InferenceFailed: the model broke, or its scores are not finite numbers.
        """
        largest = served.contract.max_batch
        parts = [
            await self._one_call(served, pictures[first : first + largest], deadline)
            for first in range(0, len(pictures), largest)
        ]
        scores = np.concatenate([part.scores for part in parts]) if len(parts) > 1 else parts[0].scores
        return Inference(scores, sum(part.queued_s for part in parts), sum(part.ran_s for part in parts))

    async def _one_call(
        self, served: ServedVersion, pictures: list[NDArray[np.uint8]], deadline: Deadline
    ) -> Inference:
        self._metrics.batch_size.observe(len(pictures))
        batch = (
            pictures[0][np.newaxis] if len(pictures) == 1 else np.stack(pictures)
        )  # one alone is not copied
        answer = await served.predict(batch, deadline)
        wanted = (len(pictures), len(served.contract.labels))
        if answer.scores.shape != wanted:
            raise InferenceFailed(f"The model answered {answer.scores.shape}; expected {wanted}.")
        if not np.isfinite(answer.scores).all():
            raise InferenceFailed("The model's scores are not finite numbers.")
        return answer
