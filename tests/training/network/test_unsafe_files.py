"""A model file is data: nothing in it is run, and what could be run is refused before Keras reads it."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import pytest

from pictor_training.errors import UnsafeModelFile
from pictor_training.network.saved import load_model_file

Change = Callable[[dict[str, Any]], None]


def _changed(source: Path, change: Change) -> Path:
    """Return a copy of a model file, its configuration changed as an attacker would."""
    target = source.with_name(f"evil{source.suffix}")
    if source.suffix == ".keras":
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                new.writestr(name, _rewritten(content, change) if name == "config.json" else content)
        return target
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["compile_config"] = json.loads(file.attrs["training_config"])
        change(config)
        file.attrs["training_config"] = json.dumps(config.pop("compile_config"))
        file.attrs["model_config"] = json.dumps(config)
    return target


def _rewritten(content: bytes, change: Change) -> bytes:
    config = json.loads(content)
    change(config)
    return json.dumps(config).encode()


def _layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(layer for layer in config["config"]["layers"] if layer["name"] == name)


def _put_class(name: str, module: str | None, inner: dict[str, Any]) -> Change:
    """Replace a layer by another class."""

    def change(config: dict[str, Any]) -> None:
        _layer(config, "reduce").update(class_name=name, module=module, registered_name=None, config=inner)

    return change


def _put_function(function: str, module: str) -> Change:
    """Name a function where an activation is wanted."""
    named = {"class_name": "function", "module": module, "config": function, "registered_name": function}

    def change(config: dict[str, Any]) -> None:
        _layer(config, "scores")["config"]["activation"] = named

    return change


def _put_initialiser(config: dict[str, Any]) -> None:
    deep = {
        "class_name": "Popen",
        "module": "subprocess",
        "config": {"args": ["touch", "ran"]},
        "registered_name": None,
    }
    _layer(config, "dense1")["config"]["kernel_initializer"] = {
        **deep,
        "config": {"nested": [{"deeper": deep}]},
    }


def _put_loss(config: dict[str, Any]) -> None:
    config["compile_config"]["loss"] = {
        "class_name": "system",
        "module": "os",
        "config": {"command": "touch ran"},
    }


def _put_metric(config: dict[str, Any]) -> None:
    config["compile_config"]["metrics"] = [{"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}]


def _put_registered(config: dict[str, Any]) -> None:
    _layer(config, "dense1")["registered_name"] = "attacker>Dense"


def _put_other_module(config: dict[str, Any]) -> None:
    _layer(config, "dense1")["module"] = "keras.src.utils.file_utils"


def _put_typespec(config: dict[str, Any]) -> None:
    _layer(config, "dense1")["config"]["units"] = {
        "class_name": "__typespec__",
        "spec_name": "system",
        "module": "os",
        "config": [],
        "registered_name": None,
    }


EVIL = {
    "os.system as a layer": (_put_class("system", "os", {"command": "touch ran"}), "'system' of module 'os'"),
    "TFSMLayer": (
        _put_class("TFSMLayer", "keras.layers", {"filepath": "/"}),
        "'TFSMLayer' of module 'keras.layers'",
    ),
    "TorchModuleWrapper": (
        _put_class("TorchModuleWrapper", "keras.layers", {"module": "gA=="}),
        "TorchModuleWrapper",
    ),
    "Lambda": (_put_class("Lambda", "keras.layers", {"function": "x"}), "the class 'Lambda'"),
    "Lambda without a module": (_put_class("Lambda", None, {"function": "x"}), "the class 'Lambda'"),
    "StringLookup, which reads files": (
        _put_class("StringLookup", "keras.layers", {"vocabulary": "/etc/passwd"}),
        "StringLookup",
    ),
    "a network inside the network": (_put_class("Sequential", "keras", {"layers": []}), "Sequential"),
    "get_file as an activation": (
        _put_function("get_file", "keras.src.utils.file_utils"),
        "the function 'get_file' of module 'keras.src.utils.file_utils' in layer 'scores'",
    ),
    "get_file by its public name": (_put_function("get_file", "keras.utils"), "the function 'get_file'"),
    "a function of builtins": (_put_function("eval", "builtins"), "the function 'eval' of module 'builtins'"),
    "Popen as an initialiser": (_put_initialiser, "'Popen' of module 'subprocess' in layer 'dense1'"),
    "os.system as the loss": (_put_loss, "'system' of module 'os'"),
    "a lambda as a metric": (_put_metric, "'__lambda__'"),
    "a known class registered by a stranger": (_put_registered, "registered as 'attacker>Dense'"),
    "a known class of another module": (_put_other_module, "'Dense' of module 'keras.src.utils.file_utils'"),
    "a type specification": (_put_typespec, "'__typespec__' of module 'os'"),
}


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("evil", EVIL)
def test_a_class_that_pictor_does_not_build_with_is_refused(
    good: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, evil: str, suffix: str
) -> None:
    """Wherever it stands, in either format, loaded for training or not; the message says what was found."""
    monkeypatch.chdir(tmp_path)
    change, found = EVIL[evil]
    path = _changed(good[suffix], change)
    for with_training in (True, False):
        with pytest.raises(UnsafeModelFile) as refused:
            load_model_file(path, compile=with_training)
        assert found in str(refused.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_marshalled_lambda_is_refused(tmp_path: Path, suffix: str) -> None:
    """As Keras itself writes it, in a file of a stranger."""
    ran = tmp_path / "ran"
    name = str(ran)
    pictures = keras.Input((4,))
    evil = keras.layers.Lambda(
        lambda x: (__import__("pathlib").Path(name).touch(), x)[1], output_shape=(4,), name="evil"
    )
    model = keras.Model(pictures, keras.layers.Dense(2)(evil(pictures)))
    model.save(tmp_path / f"evil{suffix}")
    ran.unlink(missing_ok=True)
    with pytest.raises(UnsafeModelFile, match=r"names the class 'Lambda'.* in layer 'evil'"):
        load_model_file(tmp_path / f"evil{suffix}")
    assert not ran.exists()


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_configuration_nested_without_end_is_refused(good: dict[str, Path], suffix: str) -> None:
    """Depth is the file's; our stack is not."""

    def change(config: dict[str, Any]) -> None:
        inner: list[Any] = []
        for _ in range(500):
            inner = [inner]
        _layer(config, "reduce")["config"] = {"deep": inner}

    with pytest.raises(UnsafeModelFile, match="is not a whole"):
        load_model_file(_changed(good[suffix], change))
