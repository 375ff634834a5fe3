"""Where files are: a folder, or object storage by fsspec."""

from pathlib import Path

from pictor_store.places.folder import FolderPlace
from pictor_store.places.place import FileFacts, Held, Place

__all__ = ["FileFacts", "FolderPlace", "Held", "Place", "is_url", "open_place"]

_FILE_SCHEMES = ("file://", "local://")


def is_url(where: str | Path) -> bool:
    """Whether it names object storage, or a folder in a URL's form."""
    return isinstance(where, str) and "://" in where


def open_place(where: str | Path) -> Place:
    """Return the place at a folder's path or at a URL such as "s3://bucket/models"; nothing is made yet.

    Raises:
        StoreError: the URL's scheme is unknown, or its driver is not installed.
    """
    if not is_url(where):
        return FolderPlace(Path(where))
    url = str(where)
    for scheme in _FILE_SCHEMES:
        if url.startswith(scheme):
            return FolderPlace(Path(url.removeprefix(scheme)))
    from pictor_store.places.objects import ObjectPlace  # noqa: PLC0415 - fsspec is heavy, folders need none

    return ObjectPlace.open(url)
