"""The client of a Pictor gateway, and the `pictor` command. Needs no TensorFlow, NumPy or Pillow."""

from typing import TYPE_CHECKING, Any

from pictor_client.errors import ClientError, GatewayUnreachable, Refused

if TYPE_CHECKING:
    from pictor_client.call import classify

__all__ = ["ClientError", "GatewayUnreachable", "Refused", "classify"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  # the signature that Python asks for
    """Load `classify` when it is first asked for: every `pictor serve` would pay for httpx otherwise."""
    if name != "classify":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pictor_client.call import classify  # noqa: PLC0415  # see above

    return classify
