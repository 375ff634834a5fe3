"""One request's pictures on their way to scores, whichever versions are asked."""

from collections.abc import Sequence

from pictor_contract import DecodedPicture, PictureInput
from pictor_gateway.backends.protocol import ServedVersion
from pictor_gateway.inference.pipeline import Pipeline, Recognised, Refusal, Unreadable
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.request.encoded import RawPixels, SentPicture
from pictor_gateway.telemetry.facts import RequestFacts


class Question:
    """Pictures, decoded once for all versions that take the same input.

    `facts` tell which version was asked last.
    """

    def __init__(
        self, pictures: Sequence[SentPicture], pipeline: Pipeline, facts: RequestFacts, deadline: Deadline
    ) -> None:
        self.pictures = pictures
        self.facts = facts
        self.deadline = deadline
        self.decoded: Sequence[DecodedPicture | Unreadable] = ()
        self._pipeline = pipeline
        self._input: PictureInput | None = None

    @property
    def readable(self) -> int:
        """How many pictures could be decoded."""
        return sum(isinstance(one, DecodedPicture) for one in self.decoded)

    def fits(self, served: ServedVersion, other: ServedVersion, *, by_position: bool) -> bool:
        """Whether whoever means `served` can read the answer of `other`, and raw pixels have its shape.

        `by_position`: the answer holds scores without names, in the order of the labels.
        """
        ours, theirs = served.contract, other.contract
        if by_position and ours.labels != theirs.labels:
            return False
        return ours.input.shape == theirs.input.shape or not any(
            isinstance(one, RawPixels) for one in self.pictures
        )

    async def prepare(self, served: ServedVersion) -> None:
        """Decode the pictures as `served` takes them, unless they are so already.

        Raises:
            DeadlineExceeded: time ran out.
        """
        self.facts.served = served
        picture_input = served.contract.input
        if picture_input == self._input:
            return
        self.facts.pictures.clear()
        self.decoded = await self._pipeline.decode(self.pictures, picture_input, self.deadline, self.facts)
        self._input = picture_input

    async def ask(self, served: ServedVersion, deadline: Deadline) -> list[Recognised | Refusal]:
        """Return what `served`, for which the pictures were prepared, makes of each.

        Raises:
            InferenceFailed, Overloaded, DeadlineExceeded, VersionGone, BackendUnavailable: as `predict` does.
        """
        return await self._pipeline.predict(served, self.decoded, deadline, self.facts)
