"""What a value of the contract has to be, types first: JSON may hold anything anywhere."""

from base64 import b64decode
from sys import float_info

from pictor_contract.errors import InvalidContract


def require(holds: bool, name: str, received: object, wanted: str) -> None:
    """Raise `InvalidContract` unless `holds`."""
    if not holds:
        raise InvalidContract(f"The contract's {name} must be {wanted}; received {received!r}.")


def is_int(value: object) -> bool:
    """Whether it is a whole number; True is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether it is a finite number, whole or not; NaN and an integer beyond floats compare false."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= float_info.max


def are_numbers(values: object) -> bool:
    """Whether it is a tuple of finite numbers."""
    return isinstance(values, tuple) and all(map(is_number, values))


def is_text(value: object) -> bool:
    """Whether it is a string, not empty, that UTF-8 can write: JSON can also spell half a character."""
    return (
        isinstance(value, str) and value != "" and not any("\ud800" <= letter <= "\udfff" for letter in value)
    )


def are_texts(values: object) -> bool:
    """Whether it is a tuple of such strings."""
    return isinstance(values, tuple) and all(map(is_text, values))


def is_base64(value: object) -> bool:
    """Whether it is a non-empty string of base64."""
    if not isinstance(value, str):
        return False
    try:
        return b64decode(value, validate=True) != b""
    except ValueError:  # binascii.Error, or letters beyond ASCII
        return False
