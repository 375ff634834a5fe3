"""Asking gateways about drift: what they say together, and what is no answer."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from pictor_training.errors import ConfigError, GatewayFailed
from pictor_training.retraining.trigger import KEY_FILE_VARIABLE, KEY_VARIABLE, drifted, read_api_key

Start = Callable[..., str]
PATIENCE_S = 30.0


def _told(score: float | None = 0.01, **model: Any) -> dict[str, Any]:
    features = {"class_mix": 0.0, "confidence": score, "size": None}
    told = {"name": "pets", "version": 3, "preferred": True, "comparable": True, "pictures": 500}
    return {"rate": 0.1, "models": [{**told, "score": score, "features": features, "reason": None, **model}]}


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (KEY_VARIABLE, KEY_FILE_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def asked() -> list[dict[str, str]]:
    """Return the headers of every request, and its path."""
    return []


@pytest.fixture
def start(asked: list[dict[str, str]]) -> Iterator[Start]:
    """Start gateways that say one thing: `start(document, status=200)` returns an address."""
    over = Event()
    running = []

    def begin(told: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> str:
        body = told if isinstance(told, bytes) else json.dumps(told).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer, or never."""
                asked.append(
                    {"path": self.path, **{name.lower(): text for name, text in self.headers.items()}}
                )
                if told is None:
                    over.wait(PATIENCE_S)
                    return
                self.send_response(status)
                for name, text in headers:
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield begin
    over.set()
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


def _ask(*urls: str, threshold: float = 0.25, timeout_s: float = PATIENCE_S) -> Any:
    return drifted(urls, "pets", threshold, timeout_s)


def test_one_of_several_gateways_that_sees_drift_is_enough(start: Start) -> None:
    """The sentence says which, how much, and what of."""
    reading = _ask(start(_told(0.01)), start(_told(0.31)), start(_told(None, reason="too few")))
    assert (True, 0.31) == (reading.drifted, reading.score)
    sentence = reading.sentence()
    assert sentence.startswith("drift, for 0.310 reaches 0.25.")
    assert all(
        part in sentence for part in ("0.010", "(confidence) over 500 pictures of version 3", "too few")
    )


def test_no_drift_is_said_with_its_figures(start: Start) -> None:
    """So that the job's log can be believed."""
    reading = _ask(start(_told(0.249)))
    assert not reading.drifted
    assert reading.sentence().startswith("no drift, for 0.249 does not reach 0.25.")
    assert _ask(start(_told(0.25))).drifted


def test_gateways_that_cannot_tell_yet_are_no_reason_to_train(start: Start) -> None:
    """They say how far they are."""
    reading = _ask(start(_told(None, pictures=7, reason="7 pictures have been compared.")))
    assert (False, None) == (reading.drifted, reading.score)
    assert "no gateway has compared enough" in reading.sentence()
    assert "7 pictures have been compared." in reading.sentence()


def test_a_version_nobody_can_compare_is_a_reason_to_train(start: Start) -> None:
    """Its contract is from before there were statistics: the next one's will have them."""
    reading = _ask(start(_told(None, comparable=False, pictures=0, reason="no statistics")))
    assert reading.drifted
    assert "does not say what it was trained on" in reading.sentence()


def test_only_the_version_that_is_meant_counts(start: Start) -> None:
    """Not an older one that is still loaded, not the canary, not another model."""
    told = _told(0.02)
    told["models"] += _told(0.9, preferred=False, version=2)["models"] + _told(0.9, name="cars")["models"]
    reading = _ask(start(told))
    assert (False, 0.02, [3]) == (reading.drifted, reading.score, [one.version for one in reading.gateways])


@pytest.mark.parametrize(
    ("told", "status", "said"),
    [
        ({}, 500, r"answered 500\."),
        ({}, 401, "401: it wants an API key. Set GATEWAY_API_KEY or GATEWAY_API_KEY_FILE"),
        ({}, 404, "404: is it a Pictor gateway, and new enough"),
        (b"<html>", 200, "not as a Pictor gateway does"),
        ([], 200, "not as a Pictor gateway does"),
        ({"models": 3}, 200, "not as a Pictor gateway does"),
        ({"models": [3]}, 200, "not as a Pictor gateway does"),
        ({**_told(), "rate": 0}, 200, "compares no pictures: its drift_rate is 0"),
        (_told(version="x"), 200, "not as a Pictor gateway does"),
        (_told(features=[1]), 200, "not as a Pictor gateway does"),
        (_told(name="cars"), 200, "no version of the model 'pets'"),
        (_told(preferred=False), 200, "no version of the model 'pets'"),
    ],
)
def test_what_is_no_answer_is_an_error_that_names_the_gateway(
    told: object, status: int, said: str, start: Start
) -> None:
    """And no reason to believe that all is well."""
    url = start(told, status)
    with pytest.raises(GatewayFailed, match=said) as raised:
        _ask(url)
    assert url in str(raised.value)
    assert 1 == raised.value.exit_code


def test_a_gateway_that_cannot_be_reached_is_an_error(start: Start) -> None:
    """Unless another one sees drift already."""
    dead = "http://127.0.0.1:1"
    with pytest.raises(GatewayFailed, match="Is the gateway up"):
        _ask(dead, start(_told(0.01)))
    assert _ask(dead, start(_told(0.9))).drifted


def test_a_gateway_that_never_answers_is_waited_for_no_longer_than_told(start: Start) -> None:
    """The night is short."""
    with pytest.raises(GatewayFailed, match="Timeout"):
        _ask(start(None), timeout_s=0.2)


@pytest.mark.parametrize("url", ["gateway:8080", "", "ftp://gateway", "http://", "http://[::1"])
def test_what_is_no_address_is_refused_before_anybody_is_asked(
    url: str, start: Start, asked: list[dict[str, str]]
) -> None:
    """It is a mistake in the configuration."""
    with pytest.raises(ConfigError, match="no URL of a gateway"):
        _ask(start(_told()), url)
    assert [] == asked


def test_without_an_address_there_is_nobody_to_ask() -> None:
    """`--if-drifted ,` is a mistake too."""
    with pytest.raises(ConfigError, match="No gateway is named"):
        _ask()


def test_an_address_may_have_a_path_and_a_slash(start: Start, asked: list[dict[str, str]]) -> None:
    """Behind an ingress the gateway is a folder of another site."""
    _ask(start(_told()) + "/pets/")
    assert ["/pets/v1/drift"] == [one["path"] for one in asked]


def test_the_key_is_sent_to_the_gateway_and_not_where_it_leads(
    start: Start, asked: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect is not followed; messages hold no key."""
    monkeypatch.setenv(KEY_VARIABLE, "secret-key")
    elsewhere = start(_told())
    url = start({}, 302, (("Location", f"{elsewhere}/v1/drift"),))
    with pytest.raises(GatewayFailed, match="answered 302") as raised:
        _ask(url.replace("//", "//name:password@"))
    assert ["secret-key"] == [one["x-api-key"] for one in asked]
    assert not [word for word in ("secret-key", "password") if word in str(raised.value)]


def test_the_key_may_be_in_a_file(tmp_path: Path) -> None:
    """As a Secret is mounted; the variable itself goes before it."""
    file = tmp_path / "key"
    file.write_text("from-a-file\n")
    assert "from-a-file" == read_api_key({KEY_FILE_VARIABLE: str(file)})
    assert "direct" == read_api_key({KEY_VARIABLE: "direct", KEY_FILE_VARIABLE: str(file)})
    assert read_api_key({}) is None


@pytest.mark.parametrize("content", [b"", b"two words", b"two\nlines", b"\xff\xfe", "kä".encode(), b"a\x00b"])
def test_what_is_no_key_is_refused_and_not_repeated(content: bytes, tmp_path: Path) -> None:
    """A header cannot hold it; the message names the file alone."""
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=str(file)) as raised:
        read_api_key({KEY_FILE_VARIABLE: str(file)})
    assert "two" not in str(raised.value).replace(str(tmp_path), "")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """So that a wrong mount is found."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_api_key({KEY_FILE_VARIABLE: str(tmp_path / "none")})
