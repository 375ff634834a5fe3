"""Who looks on while requests are answered: capture, shadow traffic, drift. None can delay an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pictor_contract import DecodedPicture
from pictor_gateway.backends.protocol import ServedVersion
from pictor_gateway.inference.pipeline import Recognised, Refusal, Unreadable
from pictor_gateway.request.encoded import SentPicture


@dataclass(frozen=True, slots=True)
class Answered:
    """One request's pictures, in order: as sent, as decoded, and what came of each.

    `chosen`: it named no version, so we chose one. `headers` are the request's, with names in lower case.
    `key` is the name of the client's API key. `prediction_ids`: one for each picture that was recognised, ""
    for the others; none at all where nobody wants them.
    """

    served: ServedVersion
    pictures: Sequence[SentPicture]
    decoded: Sequence[DecodedPicture | Unreadable]
    outcomes: Sequence[Recognised | Refusal]
    headers: Mapping[str, str]
    request_id: str
    chosen: bool
    key: str = ""
    prediction_ids: Sequence[str] = ()


class Observer(Protocol):
    """Told of every request that has scores, on the event loop; it must return at once and never raise."""

    def answered(self, answered: Answered) -> None:
        """Note it, or hand it to a thread or a task of its own; what does not fit is dropped and counted."""

    async def start(self) -> None:
        """Begin its own work, if it has any; return at once."""

    async def close(self) -> None:
        """End it; what is in hand is written."""
