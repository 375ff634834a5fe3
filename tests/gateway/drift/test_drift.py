"""Drift over HTTP: seen in real pictures, told to operators, metrics and the nightly job."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from photos import draw_pictures
from pictor_gateway import Settings
from pictor_gateway.backends.assembly import backend_from
from pictor_gateway.dialects.pictor.drift import DriftDocument
from pictor_gateway.entrance.api_keys import line_for
from pictor_gateway.telemetry.metrics import Metrics
from pictor_training.errors import GatewayFailed
from pictor_training.retraining.trigger import KEY_VARIABLE, drifted

Make = Callable[..., Any]
ALL = {"drift_rate": 1.0, "drift_min_pictures": 60, "drift_window": 100}
KEY = "k" * 40


def _asked(gateway: Any, name: str = "colours") -> Any:
    return drifted([str(gateway.http.base_url)], name, 0.25, 30.0)


@pytest.fixture
def gateway(make_gateway: Make, publish: Make, trained: Any) -> Any:
    """Serve version 1 without statistics and version 2 with them, and compare every picture."""
    publish("colours", 2, trained)
    return make_gateway(keep_versions=2, **ALL)


def test_pictures_like_those_of_the_training_are_no_drift(gateway: Any, send: Make, drift_of: Make) -> None:
    """Sent as files, several at once, and decoded by the gateway; the job has nothing to do."""
    send(gateway, draw_pictures(2, 80), version=2)
    told = drift_of(gateway, 80, version=2)
    assert told["score"] < 0.1
    assert (None, True, True) == (told["reason"], told["preferred"], told["comparable"])
    reading = _asked(gateway)
    assert not reading.drifted
    assert reading.sentence().startswith("no drift")


@pytest.mark.parametrize(("how", "feature"), [({"light": 0.4}, "brightness"), ({"size": (160, 120)}, "size")])
def test_pictures_unlike_those_of_the_training_are_drift(
    how: dict[str, Any], feature: str, gateway: Any, send: Make, drift_of: Make, eventually: Make
) -> None:
    """In /v1/drift, in the metrics, and for the job."""
    send(gateway, draw_pictures(2, 60, **how))
    told = drift_of(gateway, 60, version=2)
    assert told["features"][feature] > 0.25
    assert told["score"] == max(told["features"].values())
    shown = f'pictor_drift_score{{feature="{feature}",model="colours",version="2"}} '
    eventually(lambda: shown in gateway.http.get("/metrics").text)
    assert _asked(gateway).drifted


def test_too_few_pictures_are_no_drift_and_said_to_be_few(gateway: Any, send: Make, drift_of: Make) -> None:
    """Nobody is woken by a gateway that has just started."""
    send(gateway, draw_pictures(2, 59, light=0.2))
    told = drift_of(gateway, 59, version=2)
    assert (None, "59 pictures have been compared; of fewer than 60 a score would be chance.") == (
        told["score"],
        told["reason"],
    )
    assert "pictor_drift_score{" not in gateway.http.get("/metrics").text
    reading = _asked(gateway)
    assert not reading.drifted
    assert "59 pictures have been compared" in reading.sentence()


def test_every_version_has_a_window_of_its_own(
    gateway: Any, publish: Make, trained: Any, send: Make, drift_of: Make, eventually: Make
) -> None:
    """What the one was sent says nothing of the other; a new one begins with nothing."""
    send(gateway, draw_pictures(2, 60, light=0.4), version=2)
    assert drift_of(gateway, 60, version=2)["score"] > 0.25
    publish("colours", 3, trained)
    eventually(lambda: 3 in [one["version"] for one in gateway.http.get("/v1/drift").json()["models"]])
    assert not drift_of(gateway, 60, version=2)["preferred"]
    assert None is drift_of(gateway, 0, version=3)["score"]
    assert not _asked(gateway).drifted


def test_a_version_without_statistics_says_so_and_is_a_reason_to_train(
    make_gateway: Make, send: Make, drift_of: Make
) -> None:
    """It could serve for ever without anybody being able to tell."""
    gateway = make_gateway(**ALL)
    send(gateway, draw_pictures(2, 10))
    told = drift_of(gateway, 0, version=1)
    assert (None, False) == (told["score"], told["comparable"])
    assert "has no statistics" in told["reason"]
    reading = _asked(gateway)
    assert (True, None) == (reading.drifted, reading.score)
    assert "another is needed" in reading.sentence()


def test_where_nothing_is_compared_the_job_is_told(
    make_gateway: Make, publish: Make, trained: Any, drift_of: Make
) -> None:
    """It would wait for ever."""
    publish("colours", 2, trained)
    gateway = make_gateway(drift_rate=0)
    assert "drift_rate is 0" in drift_of(gateway, 0, version=2)["reason"]
    with pytest.raises(GatewayFailed, match="drift_rate is 0"):
        _asked(gateway)


def test_pixels_have_no_size_and_all_else(gateway: Any, drift_of: Make) -> None:
    """Clients of TensorFlow Serving's API send what the model takes, whatever it was once made from."""
    pixels = np.random.default_rng(1).integers(0, 256, (16, 8, 8, 3)).tolist()
    for _ in range(4):
        gateway.http.post("/v1/models/colours:predict", json={"instances": pixels}).raise_for_status()
    told = drift_of(gateway, 64, version=2)
    assert {"size"} == {feature for feature, score in told["features"].items() if score is None}


def test_the_answer_is_as_documented(gateway: Any) -> None:
    """No member more, none less; versions newest first."""
    told = DriftDocument.model_validate_json(gateway.http.get("/v1/drift").content)
    assert (1.0, 100, 60, [2, 1]) == (
        told.rate,
        told.window,
        told.min_pictures,
        [one.version for one in told.models],
    )
    documented = gateway.http.get("/openapi.json").json()["paths"]["/v1/drift"]["get"]
    example = documented["responses"]["200"]["content"]["application/json"]["examples"]["alike"]["value"]
    assert DriftDocument.model_validate(example)


def test_it_needs_a_key_where_there_are_any(make_gateway: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells what others send; the job takes its key from the environment."""
    gateway = make_gateway(api_keys=line_for("job", KEY), **ALL)
    assert 401 == gateway.http.get("/v1/drift").status_code
    with pytest.raises(GatewayFailed, match=r"401: it wants an API key\. Set GATEWAY_API_KEY"):
        _asked(gateway)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert _asked(gateway).drifted


def test_a_model_behind_tensorflow_serving_is_compared_too(
    tfs: Make, make_gateway: Make, trained: Any, send: Make, drift_of: Make
) -> None:
    """Its contract, statistics and all, comes from the server."""
    server = tfs(versions=())
    server.load_colours(1, change=trained)
    settings = {"tfs": server.address, "model": "colours", "models": None, "poll_interval_s": 0.05, **ALL}
    registry = CollectorRegistry()
    backend = backend_from(Settings.load(settings, {}), Metrics(registry), registry)
    gateway = make_gateway(backend, **settings)
    send(gateway, draw_pictures(2, 60, light=0.4))
    assert drift_of(gateway, 60)["features"]["brightness"] > 0.25


def test_a_window_that_can_never_fill_stops_the_start() -> None:
    """Otherwise nobody would wonder why there is no score."""
    with pytest.raises(Exception, match="--drift-min-pictures is more than --drift-window"):
        Settings.load({"drift_window": 100}, {})
