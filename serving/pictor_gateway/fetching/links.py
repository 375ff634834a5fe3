"""Pictures that a request names by URL: have them fetched, all at once, each with its own error."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from pictor_contract import PictureTooLarge
from pictor_gateway.errors import UrlFetchFailed, UrlNotEnabled, UrlRefused
from pictor_gateway.request.encoded import LinkedPicture, MissingPicture, SentPicture
from pictor_gateway.settings import Settings, listed


class ByteBudget:
    """The bytes that the pictures of one request may still have, together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most

    def check(self, count: int) -> None:
        """Refuse what would not fit.

        Raises:
            PictureTooLarge: `count` bytes are more than are left.
        """
        if count > self._left:
            raise PictureTooLarge(f"The pictures fetched for one request may have {self._most} bytes in all.")

    def take(self, count: int) -> None:
        """Use up `count` bytes.

        Raises:
            PictureTooLarge: as many are not left.
        """
        self.check(count)
        self._left -= count

    def give_back(self, count: int) -> None:
        """Return `count` bytes that nobody holds any more."""
        self._left += count


class Fetcher(Protocol):
    """Gets pictures from other servers."""

    async def fetch(self, url: str, budget: ByteBudget) -> bytes:
        """Return a picture's bytes, taken from `budget`.

        Raises:
            UrlRefused, UrlFetchFailed, PictureTooLarge: it cannot be had.
        """

    def close(self) -> None:
        """Give its threads back; what is under way fails."""


def fetcher_from(settings: Settings) -> Fetcher | None:
    """Return what fetches pictures, if the settings list hosts."""
    if not listed(settings.url_hosts):
        return None
    from pictor_gateway.fetching.fetch import https_fetcher  # noqa: PLC0415 - loads an HTTP client, 5 MB

    return https_fetcher(settings)


async def fetch_linked(
    pictures: Sequence[SentPicture | LinkedPicture], fetcher: Fetcher | None, most_bytes: int
) -> list[SentPicture]:
    """Return the pictures in order, those that are named by URL fetched, or with the error in their place.

    Raises:
        UrlNotEnabled: there is one, and nobody to fetch it.
    """
    if fetcher is None or not any(isinstance(picture, LinkedPicture) for picture in pictures):
        return [_not_linked(picture) for picture in pictures]
    budget = ByteBudget(most_bytes)
    async with asyncio.TaskGroup() as group:
        fetching = [group.create_task(_in_hand(picture, fetcher, budget)) for picture in pictures]
    return [task.result() for task in fetching]


def _not_linked(picture: SentPicture | LinkedPicture) -> SentPicture:
    if isinstance(picture, LinkedPicture):
        raise UrlNotEnabled(f"{picture.where} has a url, which is not fetched. Send b64.")
    return picture


async def _in_hand(picture: SentPicture | LinkedPicture, fetcher: Fetcher, budget: ByteBudget) -> SentPicture:
    if not isinstance(picture, LinkedPicture):
        return picture
    try:
        return await fetcher.fetch(picture.url, budget)
    except (UrlRefused, UrlFetchFailed, PictureTooLarge) as error:
        return MissingPicture(error)
