"""The operating system's errors in the store's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from pictor_store.errors import StoreError

READ_ADVICE = "Try again when it can be reached"
WRITE_ADVICE = "Free space there or allow writing, then try again"


@contextmanager
def reported(what: str, advice: str = READ_ADVICE) -> Iterator[None]:
    """Raise what a place fails at as StoreError: what could not be done, why, and what to do.

    Raises:
        StoreError: an OSError came out of the block.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(f"{what}: {error}. {advice}.") from error
