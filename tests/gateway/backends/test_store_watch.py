"""Which versions are served, whatever happens in the store."""

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from pictor_contract import GoldenExample, ImageContract
from pictor_contract.artifact import CONTRACT_FILE, MANIFEST_FILE, ONNX_FILE, write_manifest

MakeGateway = Callable[..., Any]
Publish = Callable[..., Path]
Eventually = Callable[[Callable[[], bool]], None]
Change = Callable[[ImageContract], ImageContract]


def _versions(http: httpx.Client) -> dict[int, str]:
    (model,) = http.get("/v1/models").json()["models"]
    return {one["version"]: one["state"] for one in model["versions"]}


def _golden(contract: ImageContract) -> GoldenExample:
    assert contract.golden is not None
    return contract.golden


def _other_scores(contract: ImageContract) -> ImageContract:
    return replace(contract, golden=replace(_golden(contract), scores=(0.2, 0.3, 0.5)))


def _other_pixels(contract: ImageContract) -> ImageContract:
    return replace(contract, golden=replace(_golden(contract), pixels_sha256="0" * 64))


def _no_picture(contract: ImageContract) -> ImageContract:
    return replace(contract, golden=replace(_golden(contract), picture_base64="AAAA"))


def _no_golden(contract: ImageContract) -> ImageContract:
    return replace(contract, golden=None)


def _other_input(contract: ImageContract) -> ImageContract:
    return replace(contract, input=replace(contract.input, channels=1))


def _no_manifest(folder: Path) -> None:
    (folder / MANIFEST_FILE).unlink()


def _changed_after_the_manifest(folder: Path) -> None:
    with (folder / ONNX_FILE).open("ab") as file:
        file.write(b"x")


def _extra_file(folder: Path) -> None:
    (folder / "extra").write_bytes(b"x")


def _no_onnx(folder: Path) -> None:
    (folder / ONNX_FILE).write_bytes(b"this is no model")
    write_manifest(folder)


def _another_contract(folder: Path) -> None:
    text = (folder / CONTRACT_FILE).read_text(encoding="utf-8")
    (folder / CONTRACT_FILE).write_text(text.replace("green", "grün"), encoding="utf-8")
    write_manifest(folder)


def _a_later_schema(folder: Path) -> None:
    text = (folder / CONTRACT_FILE).read_text(encoding="utf-8")
    (folder / CONTRACT_FILE).write_text(
        text.replace('"schema_version": 1', '"schema_version": 9'), encoding="utf-8"
    )
    write_manifest(folder)


@pytest.mark.parametrize(
    "wrong",
    [
        {"change": _other_scores},
        {"change": _other_pixels},
        {"change": _no_picture},
        {"change": _no_golden},
        {"change": _other_input},
        {"spoil": _no_manifest},
        {"spoil": _changed_after_the_manifest},
        {"spoil": _extra_file},
        {"spoil": _no_onnx},
        {"spoil": _another_contract},
        {"spoil": _a_later_schema},
    ],
    ids=lambda wrong: next(iter(wrong.values())).__name__.strip("_"),
)
def test_a_wrong_version_is_refused_and_the_old_one_goes_on(
    make_gateway: MakeGateway,
    publish: Publish,
    store: Path,
    picture: Callable[..., bytes],
    wrong: dict[str, Any],
) -> None:
    """Whatever is wrong with a new version, it is told, without our paths, and not served."""
    publish("colours", 2, **wrong)
    http = make_gateway().http
    assert {2: "refused", 1: "available"} == _versions(http)
    answer = http.post("/v1/classify", content=picture())
    assert ("1", 200) == (answer.headers["X-Model-Version"], answer.status_code)
    assert (
        'pictor_model_version_state{model="colours",state="refused",version="2"} 1.0'
        in http.get("/metrics").text
    )
    ready = http.get("/readyz")
    assert 200 == ready.status_code
    assert ready.json()["refused_versions"][0].startswith("colours/2 is refused. ")
    assert str(store) not in ready.text + http.get("/v1/models").text


def test_a_refusal_is_logged_once(
    make_gateway: MakeGateway, publish: Publish, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at every look: twenty looks a second would bury everything else."""
    with caplog.at_level(logging.INFO, "pictor.models"):
        http = make_gateway().http
        publish("colours", 2, spoil=_no_manifest)
        eventually(lambda: _versions(http).get(2) == "refused")
        publish("colours", 3)  # looks go on until this one is there, so the refused one was seen again
        eventually(lambda: _versions(http).get(3) == "available")
        publish("colours", 4)
        eventually(lambda: _versions(http).get(4) == "available")
    assert 1 == [record.message for record in caplog.records].count("version refused")


def test_a_new_version_takes_over_and_the_old_one_is_let_go(
    make_gateway: MakeGateway, publish: Publish, picture: Callable[..., bytes], eventually: Eventually
) -> None:
    """Without a restart; the score proves that the new model answers."""
    http = make_gateway().http
    before = http.post("/v1/classify", content=picture()).json()["predictions"][0]["score"]
    publish("colours", 2)
    eventually(lambda: _versions(http) == {2: "available"})
    after = http.post("/v1/classify", content=picture())
    assert "2" == after.headers["X-Model-Version"]
    assert after.json()["predictions"][0]["score"] > before
    assert 404 == http.post("/v1/classify?version=1", content=picture()).status_code


def test_as_many_versions_as_told_stay_loaded(
    make_gateway: MakeGateway, publish: Publish, picture: Callable[..., bytes]
) -> None:
    """Each can be asked for by number; without a number the newest answers."""
    for version in (2, 3):
        publish("colours", version)
    http = make_gateway(keep_versions=2).http
    assert {3: "available", 2: "available"} == _versions(http)
    asked = [
        http.post(f"/v1/classify{query}", content=picture()) for query in ("", "?version=2", "?version=1")
    ]
    assert [200, 200, 404] == [response.status_code for response in asked]
    assert ["3", "2"] == [response.headers["X-Model-Version"] for response in asked[:2]]


def test_removing_the_newest_version_goes_back_to_the_one_below(
    make_gateway: MakeGateway, publish: Publish, store: Path, eventually: Eventually
) -> None:
    """That is a rollback by hand, as with TensorFlow Serving."""
    publish("colours", 2)
    http = make_gateway().http
    assert {2: "available"} == _versions(http)
    shutil.rmtree(store / "colours" / "2")
    eventually(lambda: _versions(http) == {1: "available"})


@pytest.mark.parametrize("gone", ["colours/1", "colours", "."], ids=["version", "model", "store"])
def test_what_is_in_memory_goes_on_when_the_disk_is_empty(
    make_gateway: MakeGateway,
    store: Path,
    picture: Callable[..., bytes],
    gone: str,
    eventually: Eventually,
    publish: Publish,
) -> None:
    """A model that answers is never taken away for nothing; a later version takes over as usual."""
    http = make_gateway().http
    shutil.rmtree(store / gone)
    publish("others", 1)  # seen by a later look than the one that saw the loss
    eventually(lambda: len(http.get("/v1/models").json()["models"]) == 2)
    assert 200 == http.post("/v1/classify?model=colours", content=picture()).status_code


def test_a_version_that_is_still_being_copied_is_taken_when_it_is_whole(
    make_gateway: MakeGateway, publish: Publish, store: Path, tmp_path: Path, eventually: Eventually
) -> None:
    """`cp -r` into the store works as well: a refused version is tried again when its files change."""
    http = make_gateway().http
    whole = shutil.move(publish("colours", 2, spoil=lambda folder: None), tmp_path / "whole")
    half = store / "colours" / "2"
    (half / "assets.extra").mkdir(parents=True)
    shutil.copy(Path(whole) / CONTRACT_FILE, half / CONTRACT_FILE)
    eventually(lambda: _versions(http).get(2) == "refused")
    shutil.copytree(whole, half, dirs_exist_ok=True)
    eventually(lambda: _versions(http) == {2: "available"})


def test_other_folders_are_no_versions(make_gateway: MakeGateway, store: Path) -> None:
    """Staging folders, files and odd numbers are left alone."""
    for name in (".staging-9", "009", "latest"):
        (store / "colours" / name).mkdir()
    (store / "README").write_text("hello", encoding="utf-8")
    assert {1: "available"} == _versions(make_gateway().http)


def test_a_folder_that_may_not_be_read_hides_no_model(
    make_gateway: MakeGateway, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh volume has lost+found, which belongs to root."""
    (store / "lost+found").mkdir()
    listed = Path.iterdir

    def forbidden(folder: Path) -> Iterator[Path]:
        if folder.name == "lost+found":
            raise PermissionError(folder)
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", forbidden)
    assert {1: "available"} == _versions(make_gateway().http)


def test_a_model_name_that_is_no_name_is_refused(
    make_gateway: MakeGateway, store: Path, publish: Publish
) -> None:
    """A folder's name goes into addresses and metrics."""
    shutil.move(publish("other", 1).parent, store / "not a name")
    gateway = make_gateway()
    models = {
        model["name"]: model["versions"][0] for model in gateway.http.get("/v1/models").json()["models"]
    }
    assert "refused" == models["not a name"]["state"]
    assert "available" == models["colours"]["state"]
