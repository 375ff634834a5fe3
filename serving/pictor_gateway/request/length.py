"""Read a length out of a header."""

_ENOUGH_DIGITS = 18
"""More bytes than anybody has; `int` would raise on thousands of digits."""


def length_in(header: str) -> int | None:
    """Return the number of bytes that a header tells; none if it is no such number.

    Of a longer number the first digits are taken, which is too large all the same.
    """
    if not (header.isascii() and header.isdecimal()):
        return None
    return int(header[:_ENOUGH_DIGITS])
