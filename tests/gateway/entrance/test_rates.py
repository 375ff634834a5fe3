"""The rate of each key: told, kept, and not renewed by a new key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from gateway.entrance.keyring import KEY, OTHER, bearer, replace
from pictor_gateway.entrance.api_keys import line_for

MakeGateway = Callable[..., Any]
MakePicture = Callable[..., bytes]
Eventually = Callable[[Callable[[], bool]], None]


def test_a_rate_is_told_and_kept(make_gateway: MakeGateway, picture: MakePicture) -> None:
    """Every answer says how much is left; what is too much gets 429 and when to come again."""
    text = f"{line_for('slow', KEY, 0.01, 2)},{line_for('free', OTHER)}"
    http = make_gateway(api_keys=text).http

    def ask() -> httpx.Response:
        answer: httpx.Response = http.post("/v1/classify", content=picture(), headers=bearer(KEY))
        return answer

    answers = [ask(), ask(), ask()]
    assert [200, 200, 429] == [answer.status_code for answer in answers]
    assert [("2", "1", "100"), ("2", "0", "200"), ("2", "0", "200")] == [
        tuple(answer.headers[f"RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset"))
        for answer in answers
    ]
    refused = answers[-1]
    assert ("rate_limited", True) == (refused.json()["code"], refused.json()["retryable"])
    assert 90 < int(refused.headers["Retry-After"]) <= 100
    unlimited = http.get("/v1/models", headers=bearer(OTHER))
    assert 200 == unlimited.status_code
    assert "RateLimit-Limit" not in unlimited.headers
    assert "RateLimit-Limit" not in http.get("/v1/models").headers
    assert 'outcome="rate_limited"' in http.get("/metrics").text


def test_what_a_client_used_up_survives_an_exchange_of_keys(
    make_gateway: MakeGateway, keys: Path, eventually: Eventually
) -> None:
    """A new key for the same name goes on with what is left; so does another rate."""
    keys.write_text(line_for("shop", KEY, 0.01, 2), encoding="utf-8")
    http = make_gateway(api_keys_file=keys).http
    assert "1" == http.get("/v1/models", headers=bearer(KEY)).headers["RateLimit-Remaining"]
    replace(keys, line_for("shop", OTHER, 0.002, 5))
    eventually(lambda: http.get("/v1/models", headers=bearer(KEY)).status_code == 401)
    answer = http.get("/v1/models", headers=bearer(OTHER))
    assert ("5", "0") == tuple(answer.headers[f"RateLimit-{name}"] for name in ("Limit", "Remaining"))


def test_the_settings_rate_holds_for_lines_without_one(make_gateway: MakeGateway) -> None:
    """And a line's own numbers win, one by one."""
    text = f"{line_for('one', KEY)},{line_for('two', OTHER, 2)}"
    http = make_gateway(api_keys=text, rate_limit=1, rate_limit_burst=7).http
    limits = [http.get("/v1/models", headers=bearer(key)).headers["RateLimit-Limit"] for key in (KEY, OTHER)]
    assert ["7", "7"] == limits
