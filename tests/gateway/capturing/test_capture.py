"""Captured pictures: as they were sent, in every dialect, and never at the cost of an answer."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pictor_store.samples import Sample, digest_of, id_of, open_samples

MakePicture = Callable[..., bytes]
MakeGateway = Callable[..., Any]
Eventually = Callable[[Callable[[], bool]], None]
RED, GREEN = (200, 30, 30), (30, 200, 30)


def _captured(folder: Path) -> list[Sample]:
    return list(open_samples(folder).records("colours"))


def _count(gateway: Any, line: str) -> float:
    text = gateway.http.get("/metrics").text
    return sum(float(one.rpartition(" ")[2]) for one in text.splitlines() if one.startswith(line))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder for the samples."""
    return tmp_path / "samples"


@pytest.fixture
def capturing(make_gateway: MakeGateway, folder: Path) -> Callable[..., Any]:
    """Start a gateway that captures every picture."""

    def start(**settings: object) -> Any:
        return make_gateway(
            **{"capture": str(folder), "capture_rate": 1.0, "capture_uncertain_rate": 0.0, **settings}
        )

    return start


def test_a_picture_is_kept_as_it_was_sent(
    capturing: Callable[..., Any], folder: Path, picture: MakePicture, eventually: Eventually
) -> None:
    """Byte for byte, with what the model answered; its name is the random part of the prediction's id."""
    gateway, sent = capturing(), picture(RED, form="JPEG")
    answer = gateway.http.post("/v1/classify", content=sent, headers={"X-Request-ID": "../../evil"}).json()
    eventually(lambda: len(_captured(folder)) == 1)
    (record,) = _captured(folder)
    assert (folder / "colours" / record.day / f"{record.id}.jpg").read_bytes() == sent
    assert (id_of(answer["prediction_id"]), ("röd",), 1, digest_of(sent), "") == (
        record.id,
        record.predicted,
        record.version,
        record.sha256,
        record.subject,
    )
    assert record.scores["röd"] == answer["predictions"][0]["score"]
    eventually(
        lambda: _count(gateway, 'pictor_captured_pictures_total{model="colours",reason="sampled"}') == 1
    )


def test_every_dialect_is_captured(
    capturing: Callable[..., Any], folder: Path, picture: MakePicture, eventually: Eventually
) -> None:
    """Base64 as the picture it stands for, pixels as PNG."""
    gateway, sent = capturing(), picture(GREEN)
    text = base64.b64encode(sent).decode()
    pixels = np.full((8, 8, 3), GREEN, np.uint8)
    gateway.http.post("/v1/classify", json={"image": {"b64": text}})
    gateway.http.post("/v1/models/colours:predict", json={"instances": [{"b64": text}]})
    gateway.http.post("/v1/models/colours:predict", json={"instances": [pixels.tolist()]})
    tensor = {"name": "images", "shape": [1, 8, 8, 3], "datatype": "UINT8", "data": pixels.ravel().tolist()}
    gateway.http.post("/v2/models/colours/infer", json={"inputs": [tensor]})
    eventually(lambda: len(_captured(folder)) == 4)
    contents = [
        (folder / "colours" / one.day / f"{one.id}.{one.suffix}").read_bytes() for one in _captured(folder)
    ]
    assert 2 == contents.count(sent)
    for path in folder.glob("colours/*/*.png"):
        assert np.array_equal(np.asarray(Image.open(path))[0, 0], GREEN)


def test_refused_pictures_are_not_kept(
    capturing: Callable[..., Any], folder: Path, picture: MakePicture, eventually: Eventually
) -> None:
    """Only what has an answer; each of several has its own id."""
    gateway = capturing()
    files = [("files", picture(RED)), ("files", b"not a picture"), ("files", picture(GREEN))]
    red, bad, green = gateway.http.post("/v1/classify", files=files).json()["results"]
    eventually(lambda: len(_captured(folder)) == 2)
    assert {id_of(red["prediction_id"]), id_of(green["prediction_id"])} == {
        one.id for one in _captured(folder)
    }
    assert "prediction_id" not in bad


def test_consent_is_needed_where_it_is_asked_for(
    capturing: Callable[..., Any], folder: Path, picture: MakePicture, eventually: Eventually
) -> None:
    """By the header, request by request."""
    gateway = capturing(capture_consent=True)
    gateway.http.post("/v1/classify", content=picture(RED))
    gateway.http.post("/v1/classify", content=picture(GREEN), headers={"X-Capture-Consent": "yes"})
    eventually(lambda: bool(_captured(folder)))
    assert [("green",)] == [one.predicted for one in _captured(folder)]


def test_a_subject_is_kept_as_a_hash_only(
    capturing: Callable[..., Any], folder: Path, picture: MakePicture, eventually: Eventually, caplog: Any
) -> None:
    """The name stands in no file and no log line, and still finds the picture."""
    gateway = capturing()
    gateway.http.post("/v1/classify", content=picture(), headers={"X-Subject-ID": "Zoë".encode()})
    eventually(lambda: len(_captured(folder)) == 1)
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert "Zoë".encode() not in everything
    assert "Zo" not in caplog.text
    assert 1 == open_samples(folder).forget(subject="Zoë").pictures


def test_without_a_subject_the_keys_name_stands_for_it(
    capturing: Callable[..., Any], folder: Path, picture: MakePicture, eventually: Eventually
) -> None:
    """So all that one client sent can be forgotten."""
    gateway = capturing(api_keys=f"shop:{digest_of(b'the-key')}")
    gateway.http.post("/v1/classify", content=picture(), headers={"X-API-Key": "the-key"})
    eventually(lambda: len(_captured(folder)) == 1)
    assert 0 == open_samples(folder).forget(subject="shopper").pictures
    assert 1 == open_samples(folder).forget(subject="shop").pictures


def test_a_folder_that_fails_costs_no_answer_and_is_tried_again(
    capturing: Callable[..., Any], folder: Path, picture: MakePicture, eventually: Eventually, caplog: Any
) -> None:
    """Counted, told once, and told again when it works."""
    folder.write_bytes(b"a file is in the way")
    gateway = capturing()
    answers = [gateway.http.post("/v1/classify", content=picture()).status_code for _ in range(3)]
    dropped = 'pictor_capture_dropped_pictures_total{reason="failed"}'
    eventually(lambda: _count(gateway, dropped) == 3)
    assert [200] * 3 == answers
    assert 1 == caplog.text.count("capture fails")
    folder.unlink()
    gateway.http.post("/v1/classify", content=picture())
    eventually(lambda: len(_captured(folder)) == 1)
    eventually(lambda: _count(gateway, "pictor_captured_pictures_total") == 1)


def test_a_forgotten_picture_is_not_kept_again(
    capturing: Callable[..., Any], folder: Path, picture: MakePicture, eventually: Eventually
) -> None:
    """Whoever sends it."""
    gateway = capturing()
    open_samples(folder).forget(digest=digest_of(picture(RED)))
    gateway.http.post("/v1/classify", content=picture(RED))
    gateway.http.post("/v1/classify", content=picture(GREEN))
    eventually(lambda: bool(_captured(folder)))
    assert [("green",)] == [one.predicted for one in _captured(folder)]


def test_what_is_in_hand_is_written_at_the_end(
    store: Path, folder: Path, picture: MakePicture, run_gateway: Callable[..., Any]
) -> None:
    """A gateway that stops takes its last pictures along."""
    with run_gateway(None, models=store, capture=str(folder), capture_rate=1.0) as gateway:
        for _ in range(5):
            gateway.http.post("/v1/classify", content=picture())
    assert 5 == len(_captured(folder))


def test_nothing_is_kept_by_default(make_gateway: MakeGateway, picture: MakePicture, tmp_path: Path) -> None:
    """And answers look as they always did."""
    answer = make_gateway().http.post("/v1/classify", content=picture()).json()
    assert "prediction_id" not in answer
    assert ["store"] == [path.name for path in tmp_path.iterdir()]


def test_two_gateways_may_write_to_one_folder(
    capturing: Callable[..., Any], folder: Path, picture: MakePicture, eventually: Eventually
) -> None:
    """The ids are random, the salt is made once."""
    first, second = capturing(), capturing()
    for gateway in (first, second) * 3:
        gateway.http.post("/v1/classify", content=picture(), headers={"X-Subject-ID": "alice"})
    eventually(lambda: len(_captured(folder)) == 6)
    assert 1 == len({one.subject for one in _captured(folder)})


def test_records_are_plain_json(
    capturing: Callable[..., Any], folder: Path, picture: MakePicture, eventually: Eventually
) -> None:
    """Letters outside ASCII stay letters, as UTF-8."""
    capturing().http.post("/v1/classify", content=picture(RED))
    eventually(lambda: len(_captured(folder)) == 1)
    (path,) = folder.glob("colours/*/*.json")
    assert "röd" in path.read_text(encoding="utf-8")
    assert 1 == json.loads(path.read_bytes())["schema_version"]
