"""Who may ask, and how often: the check in front of every address that needs an API key."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from starlette.datastructures import Headers
from starlette.requests import Request

from pictor_gateway.entrance.api_keys import Client, Clients, DefaultRate, InvalidKeys, digest_of, read_lines
from pictor_gateway.entrance.rate_limit import Allowance, Bucket
from pictor_gateway.errors import RateLimited, Unauthorized
from pictor_gateway.settings import Settings
from pictor_gateway.telemetry.facts import facts_of

log = logging.getLogger("pictor.access_keys")

_LOOK_EVERY_S = 1.0
_MOST_BYTES = 4 * 1024 * 1024
"""Of a file of keys; more is some other file."""


class KeySource:
    """Where the settings say that keys are: a file, a text, or both."""

    def __init__(self, settings: Settings) -> None:
        self._file = settings.api_keys_file
        self._text = "" if settings.api_keys is None else settings.api_keys.get_secret_value()
        self._default = DefaultRate(settings.rate_limit, settings.rate_limit_burst)

    @property
    def file(self) -> Path | None:
        """The file that may change."""
        return self._file

    def file_bytes(self) -> bytes:
        """Return what the file holds now.

        Raises:
            InvalidKeys: it cannot be read.
        """
        if self._file is None:
            return b""
        try:
            with self._file.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise InvalidKeys(f"The API keys in {self._file} cannot be read ({error.strerror}).") from error
        if len(content) > _MOST_BYTES:
            raise InvalidKeys(f"{self._file} is no file of API keys: it has more than {_MOST_BYTES} bytes.")
        return content

    def clients(self, content: bytes) -> Clients:
        """Return the clients that the file's content and the text name together.

        A file may have no key, or none any more: nobody is let in until one is added.

        Raises:
            InvalidKeys: a line is malformed, or there is no key and no file that could get one.
        """
        clients = read_lines(self._lines(content), self._default)
        if not clients and self._file is None:
            raise InvalidKeys(
                "There is no API key, so every request would be refused: `pictor api-key NAME` makes one. "
                "Leave --api-keys out to serve everybody."
            )
        return clients

    def _lines(self, content: bytes) -> Iterator[tuple[str, str]]:
        for number, line in enumerate(self._text.replace(",", "\n").splitlines(), 1):
            yield f"Key {number} of --api-keys", line
        # Latin-1 reads any byte; what is no ASCII is then refused with its line's number.
        for number, line in enumerate(content.decode("latin-1").split("\n"), 1):
            yield f"Line {number} of {self._file}", line


class Access:
    """The keys known now, and what each of their holders has used up. Used from the event loop only."""

    def __init__(self, source: KeySource) -> None:
        """Read the keys.

        Raises:
            InvalidKeys: they cannot be used.
        """
        self._source = source
        self._content: bytes | None = source.file_bytes()
        self._clients = source.clients(self._content)
        self._buckets: dict[str, Bucket] = {}
        self._fault = ""

    def client_of(self, headers: Headers) -> Client:
        """Return the holder of the request's key.

        Raises:
            Unauthorized: it has none, or an unknown one.
        """
        key = _key_in(headers)
        if not key:
            raise Unauthorized("Send an API key as 'Authorization: Bearer KEY' or as 'X-API-Key: KEY'.")
        client = self._clients.get(digest_of(key))
        if client is None:
            raise Unauthorized("This API key is not known here. Ask the operator for another one.")
        return client

    async def admit(self, request: Request) -> None:
        """Let the request pass, and note who it is from; nothing else of it has been looked at before.

        Raises:
            Unauthorized: it shows no key, or an unknown one.
            RateLimited: its key is used up for the moment.
        """
        facts = facts_of(request)
        client = self.client_of(request.headers)
        facts.key = client.name
        allowance = self.take(client)
        if allowance is None:
            return
        facts.headers.update(allowance.headers())
        if allowance.retry_after_s is not None:
            refusal = RateLimited(
                f"This API key may send {client.rate}. Try again in {allowance.retry_after_s} s."
            )
            refusal.retry_after_s = allowance.retry_after_s
            raise refusal

    def take(self, client: Client) -> Allowance | None:
        """Take one request from what `client` may send; None if that is unlimited."""
        if client.rate is None:
            return None
        now = monotonic()
        bucket = self._buckets.get(client.name)
        if bucket is None:
            bucket = self._buckets[client.name] = Bucket(client.rate, now)
        return bucket.take(now)

    async def watch(self) -> None:
        """Look at the file for ever, and take over what changes; a faulty file changes nothing."""
        if not self._clients:
            self._warn_closed()
        while self._source.file is not None:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                # The whole content each time: it is small, and neither a link that is swapped nor a clock
                # that stands still can then hide a change.
                content = await asyncio.to_thread(self._source.file_bytes)
                if content != self._content or self._fault:
                    self._take_over(content)
            except InvalidKeys as error:
                self._complain(str(error))

    def _take_over(self, content: bytes) -> None:
        clients = self._source.clients(content)
        now = monotonic()
        rates = {client.name: client.rate for client in clients.values()}
        kept = {name: bucket for name, bucket in self._buckets.items() if rates.get(name) is not None}
        for name, bucket in kept.items():
            rate = rates[name]
            if rate is not None:
                bucket.follow(rate, now)
        self._clients, self._buckets, self._content, self._fault = clients, kept, content, ""
        log.info("api keys read", extra={"fields": {"keys": len(clients)}})
        if not clients:
            self._warn_closed()

    def _warn_closed(self) -> None:
        log.warning(
            "no api key, every request is refused", extra={"fields": {"file": str(self._source.file)}}
        )

    def _complain(self, fault: str) -> None:
        if fault != self._fault:  # once, not every second
            log.error("api keys not read, the former ones hold on", extra={"fields": {"reason": fault}})
        self._fault = fault


def _key_in(headers: Headers) -> str:
    own = headers.get("x-api-key", "").strip()
    if own:
        return own
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""


def access_from(settings: Settings) -> Access | None:
    """Return the check that the settings ask for; None if everybody may ask.

    Raises:
        InvalidKeys: the keys cannot be used, or a rate is given that would hold for nobody.
    """
    if settings.api_keys_file is not None or settings.api_keys is not None:
        return Access(KeySource(settings))
    if settings.rate_limit is not None:
        raise InvalidKeys("--rate-limit holds for API keys; give --api-keys-file or --api-keys as well.")
    return None
