"""Ask the gateways whether they still see what the model was trained on."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from pictor_training.errors import ConfigError, GatewayFailed

KEY_VARIABLE: Final = "GATEWAY_API_KEY"
KEY_FILE_VARIABLE: Final = "GATEWAY_API_KEY_FILE"
"""An API key of the gateways, or a file that holds one; without either none is sent.

Not PICTOR_*: those are the gateway's settings, and it refuses to start with one that is none of them.
"""

_PATH: Final = "/v1/drift"
_MOST_SAID: Final = 200
"""Letters of a gateway's answer that are repeated in a message."""


@dataclass(frozen=True, slots=True)
class GatewayReading:
    """What one gateway says of the version that it gives to whoever names none.

    `score` is None while it cannot tell, and `reason` says why; it never can where the version is not
    `comparable`, for nobody knows what it was trained on. `feature` is the one that has the score.
    """

    url: str
    version: int
    comparable: bool
    pictures: int
    score: float | None
    feature: str
    reason: str

    def sentence(self) -> str:
        """Say it in words."""
        if self.score is None:
            return f"{self.url} cannot tell of version {self.version}: {self.reason}"
        return (
            f"{self.url} has a score of {self.score:.3f} ({self.feature}) "
            f"over {self.pictures} pictures of version {self.version}."
        )


@dataclass(frozen=True, slots=True)
class DriftReading:
    """What the gateways say together: a reason to retrain if one of them has one."""

    threshold: float
    gateways: tuple[GatewayReading, ...]

    @property
    def score(self) -> float | None:
        """The highest score; None if no gateway can tell."""
        return max((one.score for one in self.gateways if one.score is not None), default=None)

    @property
    def drifted(self) -> bool:
        """Whether there is a reason to retrain: a score reaches the threshold, or there never will be one."""
        return self._far or any(not one.comparable for one in self.gateways)

    @property
    def _far(self) -> bool:
        return self.score is not None and self.score >= self.threshold

    def sentence(self) -> str:
        """Say in words what came of it, and what each gateway said."""
        return " ".join((self._outcome(), *(one.sentence() for one in self.gateways)))

    def _outcome(self) -> str:
        if self.drifted and not self._far:
            return "a version that serves does not say what it was trained on, so another is needed."
        if self.score is None:
            return "no gateway has compared enough pictures to tell drift."
        if self.drifted:
            return f"drift, for {self.score:.3f} reaches {self.threshold:g}."
        return f"no drift, for {self.score:.3f} does not reach {self.threshold:g}."


def drifted(urls: Sequence[str], name: str, threshold: float, timeout_s: float) -> DriftReading:
    """Ask every gateway about the model `name`; each may take `timeout_s` seconds.

    A gateway that cannot be asked is no reason to doubt another that sees drift.

    Raises:
        ConfigError: no URL, or one that is none; or the file with the API key cannot be used.
        GatewayFailed: one could not be asked, does not have the model or compares nothing, and no other sees
        drift.
    """
    addresses = [_address(url) for url in urls]
    if not addresses:
        raise ConfigError("No gateway is named to ask about drift. Name its URL: http://gateway:8080")
    key = read_api_key(os.environ)
    readings: list[GatewayReading] = []
    failures: list[GatewayFailed] = []
    for address in addresses:
        try:
            readings.append(_ask(address, name, key, timeout_s))
        except GatewayFailed as failure:
            failures.append(failure)
    reading = DriftReading(threshold, tuple(readings))
    if failures and not reading.drifted:
        raise failures[0]
    return reading


def read_api_key(environment: Mapping[str, str]) -> str | None:
    """Return the API key of the gateways, if `environment` names one or a file with one.

    Raises:
        ConfigError: the file cannot be read, or what is named is no key. The message does not hold it.
    """
    key, file = environment.get(KEY_VARIABLE), environment.get(KEY_FILE_VARIABLE)
    if not key and not file:
        return None
    source = KEY_VARIABLE if key else file
    try:
        key = (key or Path(str(file)).read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{KEY_FILE_VARIABLE}: {file} cannot be read as a text file.") from error
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{source} holds no API key: one line of ASCII letters without blanks is expected.")
    return key


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url.rstrip("/") + _PATH)
    except httpx.InvalidURL as error:
        raise ConfigError(
            f"{url!r} is no URL of a gateway ({error}). It looks like http://host:8080"
        ) from error
    if address.scheme not in ("http", "https") or not address.host:
        raise ConfigError(f"{url!r} is no URL of a gateway. It looks like http://gateway:8080")
    return address


def _ask(address: httpx.URL, name: str, key: str | None, timeout_s: float) -> GatewayReading:
    # Proxies of the environment stay out: gateways are near, and the key is for them alone. For the same
    # reason no redirect is followed.
    headers = {} if key is None else {"X-API-Key": key}
    try:
        with httpx.Client(timeout=timeout_s, trust_env=False) as http:
            answer = http.get(address, headers=headers)
            told = answer.json() if answer.is_success else None
    except httpx.HTTPError as error:
        raise GatewayFailed(
            f"{_shown(address)} gave no answer ({type(error).__name__}: {error}). Is the gateway up?"
        ) from error
    except ValueError as error:
        raise _strange(address) from error
    if told is None:
        raise GatewayFailed(f"{_shown(address)} answered {answer.status_code}{_advice(answer.status_code)}")
    try:
        return _reading(_shown(address), name, told)
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # JSON may be anything
        raise _strange(address) from error


def _reading(url: str, name: str, told: Any) -> GatewayReading:  # noqa: ANN401 - any JSON
    models = [one for one in told["models"] if one["name"] == name and one["preferred"]]
    if not models:
        raise GatewayFailed(f"{url} has no version of the model {name!r} that answers.")
    if told["rate"] == 0:
        raise GatewayFailed(f"{url} compares no pictures: its drift_rate is 0.")
    model = models[0]
    scores = {feature: float(score) for feature, score in model["features"].items() if score is not None}
    return GatewayReading(
        url=url,
        version=int(model["version"]),
        comparable=bool(model["comparable"]),
        pictures=int(model["pictures"]),
        score=None if model["score"] is None else float(model["score"]),
        feature=max(scores, key=scores.__getitem__, default=""),
        reason=str(model["reason"] or "")[:_MOST_SAID],
    )


def _advice(status: int) -> str:
    if status == httpx.codes.UNAUTHORIZED:
        return f": it wants an API key. Set {KEY_VARIABLE} or {KEY_FILE_VARIABLE}."
    if status == httpx.codes.NOT_FOUND:
        return ": is it a Pictor gateway, and new enough to tell drift?"
    return "."


def _strange(address: httpx.URL) -> GatewayFailed:
    return GatewayFailed(f"{_shown(address)} answered, but not as a Pictor gateway does.")


def _shown(address: httpx.URL) -> str:
    """Return the address without a password that may be in it."""
    return str(address.copy_with(username=None, password=None, query=None, fragment=None))
