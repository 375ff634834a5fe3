"""A call under way on one server."""

from dataclasses import dataclass

from pictor_gateway.backends.tensorflow_serving.channel import Channel, Rpc


@dataclass(slots=True, eq=False)
class Flight:
    """`work`: a caller's request; `reached`: the connection stood; `given_up`: why we ended it ourselves."""

    rpc: Rpc
    channel: Channel
    work: bool
    began: float
    reached: bool
    given_up: str = ""
