"""`/v1/feedback`: users say what a picture was; live accuracy and labelled examples come of it."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gateway.fakes import FakeModel
from pictor_contract import ImageContract
from pictor_gateway.capturing.prediction_ids import PredictionIds
from pictor_gateway.dialects.pictor.documents import FeedbackDocument, OneAnswerDocument
from pictor_gateway.inference.pipeline import Recognised
from pictor_store.samples import digest_of, open_samples

MakePicture = Callable[..., bytes]
MakeGateway = Callable[..., Any]
Publish = Callable[..., Path]
Eventually = Callable[[Callable[[], bool]], None]
RED, GREEN = (200, 30, 30), (30, 200, 30)
SECRET = "sixteen letters and a few more"  # noqa: S105 - a test's


def _predict(gateway: Any, picture: bytes) -> str:
    answer = gateway.http.post("/v1/classify", content=picture).json()
    OneAnswerDocument.model_validate(answer)
    prediction_id: str = answer["prediction_id"]
    return prediction_id


def _say(gateway: Any, prediction_id: object, label: object) -> Any:
    return gateway.http.post("/v1/feedback", json={"prediction_id": prediction_id, "label": label})


def _metric(gateway: Any, line: str) -> float | None:
    for one in gateway.http.get("/metrics").text.splitlines():
        if one.startswith(line):
            return float(one.rpartition(" ")[2])
    return None


def _counted(gateway: Any, result: str, version: int = 1) -> float | None:
    return _metric(gateway, f'pictor_feedback_total{{model="colours",result="{result}",version="{version}"}}')


def _code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_a_prediction_is_judged(make_gateway: MakeGateway, picture: MakePicture) -> None:
    """Right or wrong, counted by version, and the share of right ones shown."""
    gateway = make_gateway(feedback=True)
    right, wrong = _predict(gateway, picture(RED)), _predict(gateway, picture(GREEN))
    answer = _say(gateway, right, "röd").json()
    FeedbackDocument.model_validate(answer)
    assert {"prediction_id": right, "label": "röd", "predicted": "röd", "correct": True} == answer
    assert (False, "green") == tuple(
        _say(gateway, wrong, "blue").json()[key] for key in ("correct", "predicted")
    )
    assert (1, 1) == (_counted(gateway, "correct"), _counted(gateway, "wrong"))
    assert 0.5 == _metric(gateway, 'pictor_live_accuracy_ratio{model="colours",version="1"}')


def test_a_prediction_is_counted_once(make_gateway: MakeGateway, picture: MakePicture) -> None:
    """However often its label is sent; another one changes the live accuracy, not the count."""
    gateway = make_gateway(feedback=True)
    prediction_id = _predict(gateway, picture(RED))
    assert [True, True, False] == [
        _say(gateway, prediction_id, label).json()["correct"] for label in ("röd", "röd", "green")
    ]
    assert (1, None) == (_counted(gateway, "correct"), _counted(gateway, "wrong"))
    assert 0 == _metric(gateway, "pictor_live_accuracy_ratio{")


def test_a_label_is_kept_beside_its_picture(
    make_gateway: MakeGateway, picture: MakePicture, tmp_path: Path, eventually: Eventually
) -> None:
    """So retraining finds an example; the later label holds, and there is one file."""
    folder = tmp_path / "samples"
    gateway = make_gateway(feedback=True, capture=str(folder), capture_rate=1.0)
    prediction_id = _predict(gateway, picture(RED))
    for label in ("röd", "röd", "green"):
        _say(gateway, prediction_id, label)
    eventually(lambda: len(list(open_samples(folder).labelled("colours"))) == 1)
    (found,) = open_samples(folder).labelled("colours")
    assert ("green", picture(RED), ("röd",), 1) == (
        found.label,
        open_samples(folder).content(found.sample),
        found.sample.predicted,
        found.sample.version,
    )
    assert 1 == len(list((folder / "colours" / "feedback").iterdir()))


def test_two_gateways_with_one_folder_count_a_prediction_once(
    make_gateway: MakeGateway, picture: MakePicture, tmp_path: Path
) -> None:
    """The same label comes to both, as with several workers, or after a restart."""
    kept = {"feedback": True, "feedback_secret": SECRET, "capture": str(tmp_path / "samples")}
    one, other = make_gateway(**kept), make_gateway(**kept)
    prediction_id = _predict(one, picture(RED))
    for gateway in (one, other, one):
        assert 200 == _say(gateway, prediction_id, "röd").status_code
    assert (1, None) == (_counted(one, "correct"), _counted(other, "correct"))


def test_a_label_that_cannot_be_kept_is_refused_and_not_counted(
    make_gateway: MakeGateway, picture: MakePicture, tmp_path: Path
) -> None:
    """The client may send it again; then it counts."""
    folder = tmp_path / "samples"
    folder.write_bytes(b"a file is in the way")
    gateway = make_gateway(feedback=True, capture=str(folder), capture_rate=0.0)
    prediction_id = _predict(gateway, picture(RED))
    refused = _say(gateway, prediction_id, "röd")
    assert (503, "feedback_not_kept") == _code(refused)
    assert ("5", None) == (refused.headers["Retry-After"], _counted(gateway, "correct"))
    folder.unlink()
    assert 200 == _say(gateway, prediction_id, "röd").status_code
    assert 1 == _counted(gateway, "correct")


def test_an_id_that_is_not_ours_is_not_found(make_gateway: MakeGateway) -> None:
    """Whatever it looks like."""
    gateway = make_gateway(feedback=True)
    for prediction_id in ("", "AAAA", "A" * 74, "x" * 10_000, "../../etc", "röd", "\u0000"):
        assert (404, "prediction_not_found") == _code(_say(gateway, prediction_id, "röd"))


def test_replicas_share_a_secret_and_strangers_do_not(
    make_gateway: MakeGateway, picture: MakePicture
) -> None:
    """Feedback may reach another gateway than the picture did."""
    first, second, stranger = (
        make_gateway(feedback=True, feedback_secret=SECRET),
        make_gateway(feedback=True, feedback_secret=SECRET),
        make_gateway(feedback=True),
    )
    prediction_id = _predict(first, picture(RED))
    assert [200, 404] == [_say(one, prediction_id, "röd").status_code for one in (second, stranger)]


def test_an_id_of_a_model_that_is_not_served_is_not_found(
    make_gateway: MakeGateway,
) -> None:
    """With the same secret elsewhere: nobody here knows that model's labels."""
    recognised = Recognised(np.array([1, 0], np.float32), "PNG", 8, 8, 1)
    (foreign,) = PredictionIds(SECRET, 1000).issue(FakeModel(name="shapes"), [recognised])
    gateway = make_gateway(feedback=True, feedback_secret=SECRET)
    assert (404, "prediction_not_found") == _code(_say(gateway, foreign, "röd"))


def test_a_version_that_is_gone_is_still_judged(
    make_gateway: MakeGateway, publish: Publish, picture: MakePicture, eventually: Eventually
) -> None:
    """Right or wrong by the id alone; what had been predicted is not known any more."""
    gateway = make_gateway(feedback=True)
    prediction_id = _predict(gateway, picture(RED))
    publish("colours", 2)
    eventually(lambda: gateway.http.post("/v1/classify", content=picture()).json()["model"]["version"] == 2)
    answer = _say(gateway, prediction_id, "röd").json()
    assert (None, True) == (answer["predicted"], answer["correct"])
    assert 1 == _counted(gateway, "correct", version=1)
    assert (422, "parameter_invalid") == _code(_say(gateway, prediction_id, "yellow"))


def _multilabel(contract: ImageContract) -> ImageContract:
    return replace(contract, head="multilabel", thresholds=(0.3, 0.3, 0.3))


def test_several_labels_are_judged_as_a_set(
    make_gateway: MakeGateway, publish: Publish, picture: MakePicture
) -> None:
    """In any order; a text alone is a set of one, and a set may be empty."""
    publish("sets", 1, change=_multilabel)
    gateway = make_gateway(feedback=True, default_model="sets")
    answers = [
        _say(gateway, _predict(gateway, picture((200, 200, 10))), label).json()
        for label in (["röd", "green"], ["green", "röd"], ["röd"], "röd", [])
    ]
    assert [True, True, False, False, False] == [one["correct"] for one in answers]
    assert ["röd", "green"] == answers[0]["predicted"]
    refused = _say(gateway, _predict(gateway, picture()), ["röd", "röd"])
    assert (422, "parameter_invalid") == _code(refused)


def test_a_label_that_the_model_does_not_have_is_refused(
    make_gateway: MakeGateway, picture: MakePicture
) -> None:
    """With those it has."""
    gateway = make_gateway(feedback=True)
    for label in ("yellow", "", "RÖD", "a" * 60_000, "röd\u0000", "../x"):
        refused = _say(gateway, _predict(gateway, picture()), label)
        assert (422, "parameter_invalid") == _code(refused)
        assert "röd, green, blue" in refused.json()["detail"]
        assert len(refused.content) < 1000


def test_a_list_for_a_model_that_gives_one_label_is_refused(
    make_gateway: MakeGateway, picture: MakePicture
) -> None:
    """Even a list of one."""
    gateway = make_gateway(feedback=True)
    assert (422, "parameter_invalid") == _code(_say(gateway, _predict(gateway, picture()), ["röd"]))


_NO_FEEDBACK = (
    (b"", 400),
    (b"{", 400),
    (b"[]", 400),
    (b'{"prediction_id": "x"}', 400),
    (b'{"prediction_id": 1, "label": "x"}', 400),
    (b'{"prediction_id": "x", "label": 1}', 400),
    (b'{"prediction_id": "x", "label": null}', 400),
    (b'{"prediction_id": "x", "label": [1]}', 400),
    (b'{"prediction_id": "x", "label": "y", "more": 1}', 400),
    (b'{"prediction_id": "x", "label": "y", "label": "z"}', 400),
    (b'{"prediction_id": "x", "label": ' + b"[" * 30_000, 400),
    (b'{"prediction_id": "x", "label": [' + b'"",' * 10_000 + b'""]}', 400),
    (b'{"prediction_id": "\xff", "label": "y"}', 400),
    (b" " * 65_537, 413),
)


def test_a_body_that_is_no_feedback_is_refused(make_gateway: MakeGateway) -> None:
    """As a problem, whatever it is."""
    gateway = make_gateway(feedback=True)
    for body, status in _NO_FEEDBACK:
        refused = gateway.http.post(
            "/v1/feedback", content=body, headers={"Content-Type": "application/json"}
        )
        assert (status, "application/problem+json") == (refused.status_code, refused.headers["Content-Type"])


def test_a_compressed_body_is_read_and_another_type_refused(
    make_gateway: MakeGateway, picture: MakePicture
) -> None:
    """JSON, as it is or as gzip."""
    gateway = make_gateway(feedback=True)
    body = json.dumps({"prediction_id": _predict(gateway, picture(RED)), "label": "röd"}).encode()
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert 200 == gateway.http.post("/v1/feedback", content=gzip.compress(body), headers=headers).status_code
    bomb = gzip.compress(b" " * 10_000_000)
    assert 413 == gateway.http.post("/v1/feedback", content=bomb, headers=headers).status_code
    text = gateway.http.post("/v1/feedback", content=body, headers={"Content-Type": "text/plain"})
    assert (415, "media_type_unsupported") == _code(text)


def test_feedback_is_off_by_default(make_gateway: MakeGateway, picture: MakePicture, tmp_path: Path) -> None:
    """Also where pictures are captured, whose answers have ids."""
    assert (404, "feedback_not_enabled") == _code(_say(make_gateway(), "x", "röd"))
    capturing = make_gateway(capture=str(tmp_path / "samples"), capture_rate=0.0)
    assert (404, "feedback_not_enabled") == _code(_say(capturing, _predict(capturing, picture()), "röd"))


def test_feedback_needs_a_key_where_pictures_do(make_gateway: MakeGateway) -> None:
    """It is an address like the others."""
    gateway = make_gateway(feedback=True, api_keys=f"shop:{digest_of(b'the-key')}")
    assert (401, "unauthorized") == _code(_say(gateway, "x", "röd"))


def test_the_documentation_shows_it(make_gateway: MakeGateway) -> None:
    """Body, answer and every error, by example."""
    paths = make_gateway().http.get("/openapi.json").json()["paths"]
    headers = {one["name"] for one in paths["/v1/classify"]["post"]["parameters"] if one["in"] == "header"}
    assert {"X-Capture-Consent", "X-Subject-ID"} == headers
    spec = paths["/v1/feedback"]["post"]
    assert {"one", "several"} == set(spec["requestBody"]["content"]["application/json"]["examples"])
    assert {"200", "400", "404", "413", "415", "422", "503"} <= set(spec["responses"])
    codes = spec["responses"]["404"]["content"]["application/problem+json"]["examples"]
    assert {"feedback_not_enabled", "prediction_not_found"} == set(codes)
