"""Ids, feedback and capture in the real command: what is refused at the start, and what workers share."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pictor_gateway import InvalidSettings, Settings
from pictor_gateway.capturing.assembly import check_capturing, secret_of

MakePicture = Callable[..., bytes]
Serve = Callable[..., Any]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"feedback_secret": "short"}, "at least 16 letters"),
        ({"feedback_secret": ""}, "at least 16 letters"),
        ({"capture": "nonsense://bucket/samples"}, "--capture"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(given: dict[str, str], said: str) -> None:
    """With the setting's name, never with the secret."""
    with pytest.raises(InvalidSettings, match=said) as raised:
        check_capturing(Settings.load(given, {}))
    assert "short" not in str(raised.value).replace("too short", "")


def test_an_empty_place_is_refused() -> None:
    """It would be the folder in which the gateway was started."""
    with pytest.raises(InvalidSettings, match="--capture"):
        Settings.load({"capture": ""}, {})


def test_without_a_secret_one_is_made_at_each_start() -> None:
    """Long, and another one each time."""
    settings = Settings.load({}, {})
    assert secret_of(settings) != secret_of(settings)
    assert len(secret_of(settings)) >= 32


def test_workers_read_each_others_ids(serve: Serve, picture: MakePicture) -> None:
    """The process above them makes the secret once, also when the settings give none."""
    address = serve("--workers", "2", "--feedback", "true").address()
    met = set()
    for _ in range(40):
        with httpx.Client(base_url=address, trust_env=False, timeout=30) as one:
            answer = one.post("/v1/classify", content=picture()).json()
        with httpx.Client(base_url=address, trust_env=False, timeout=30) as other:
            feedback = {"prediction_id": answer["prediction_id"], "label": answer["decision"][0]}
            met.add(other.post("/v1/feedback", json=feedback).status_code)
    assert {200} == met
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as one:
        counted = [line for line in one.get("/metrics").text.splitlines() if "pictor_feedback_total{" in line]
    assert 40 == sum(float(line.rpartition(" ")[2]) for line in counted)


def test_a_short_secret_stops_the_command(serve: Serve) -> None:
    """Exit code 2, as for every setting that cannot be used."""
    process = serve("--feedback", "true", "--feedback-secret", "short")
    assert 2 == process.process.wait(30)
    assert "at least 16 letters" in process.log_file.read_text(encoding="utf-8")
