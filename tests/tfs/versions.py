"""A version's folder as the server loads it: a real SavedModel, or the model "colours" by its sharpness."""

import json
from pathlib import Path
from typing import Final

from colours import make_contract
from pictor_contract.artifact import CONTRACT_FILE, EXTRA, write_manifest
from tfs.colours import ColoursModel
from tfs.models import Model, saved_model

GRAPH_FILE: Final = "saved_model.pb"
_NOT_FOUND, _DATA_LOSS = 5, 15


class LoadFailed(Exception):
    """The version does not become available; `code` is a number of gRPC's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def write_colours(folder: Path, sharpness: float, name: str = "colours") -> Path:
    """Write an artifact of the model "colours" that the stand-in can load, with its manifest."""
    (folder / EXTRA).mkdir(parents=True)
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").write_bytes(b"\x00")
    (folder / GRAPH_FILE).write_text(json.dumps({"colours": sharpness}), encoding="utf-8")
    (folder / CONTRACT_FILE).write_text(make_contract(name, sharpness).to_json(), encoding="utf-8")
    write_manifest(folder)
    return folder


def load_version(folder: Path, name: str) -> Model:
    """Load a version's folder.

    Raises:
        LoadFailed: with the real server's code and text.
    """
    file = folder / GRAPH_FILE
    try:
        graph = file.read_bytes()
    except OSError as error:
        raise LoadFailed(
            _NOT_FOUND,
            "Specified file path does not appear to contain a SavedModel bundle (should have a file called "
            f"`saved_model.pb`)\nSpecified file path: {folder}",
        ) from error
    if not graph.startswith(b"{"):
        if not (folder / "variables").is_dir():
            raise LoadFailed(_DATA_LOSS, f"Can't parse {file} as binary proto")
        return saved_model(folder)
    try:
        return ColoursModel(name, json.loads(graph)["colours"])
    except ValueError as error:
        raise LoadFailed(_DATA_LOSS, f"Can't parse {file} as binary proto") from error
