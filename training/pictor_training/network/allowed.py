"""The classes that a model file may name. A file is data; a class in it is a request to run that class."""

from collections.abc import Iterator
from typing import Final

from pictor_training.errors import UnsafeModelFile

_LAYERS: Final = (
    "Activation",
    "AlphaDropout",
    "BatchNormalization",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling2D",
    "InputLayer",
    "MaxPooling2D",
    "Rescaling",
)
_INITIALISERS: Final = (
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Zeros",
)
_OPTIMISERS: Final = ("Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Nadam", "RMSprop", "SGD")

_MODULE_OF: Final[dict[str, str]] = {
    "Functional": "keras.src.models.functional",
    "DTypePolicy": "keras",
    **dict.fromkeys(_LAYERS, "keras.layers"),
    **dict.fromkeys(_INITIALISERS, "keras.initializers"),
    **dict.fromkeys(("L1", "L1L2", "L2"), "keras.regularizers"),
    **dict.fromkeys(_OPTIMISERS, "keras.optimizers"),
    "CosineDecay": "keras.optimizers.schedules",
    **dict.fromkeys(("BinaryCrossentropy", "CategoricalCrossentropy"), "keras.losses"),
    **dict.fromkeys(("BinaryAccuracy", "CategoricalAccuracy"), "keras.metrics"),
}
"""Everything that `network.build`, `network.losses` and `fitting.optimiser` make, and nothing else."""

_PLAIN_DATA: Final = ("__keras_tensor__", "__tuple__")
"""Written by Keras for values that JSON has no form for; they name no class to run."""

_NAMES_A_CLASS: Final = ("class_name", "module", "registered_name", "spec_name")


def check_classes(config: object, where: str) -> None:
    """Refuse a configuration that names, at any depth, a class other than those this package builds with.

    Raises:
        UnsafeModelFile: the message says which class, of which module, and in which layer.

    """
    for entry, layer in _mappings(config):
        if not any(key in entry for key in _NAMES_A_CLASS):
            continue
        if not _is_allowed(entry):
            inside = f" in layer '{layer}'" if layer else ""
            raise UnsafeModelFile(
                f"{where} names {_describe(entry)}{inside}: not one of the classes that Pictor builds "
                "models from, and loading it could run code. Use a file that Pictor wrote; load this one "
                "elsewhere only if you trust its origin."
            )


def _is_allowed(entry: dict[str, object]) -> bool:
    name = entry.get("class_name")
    if not isinstance(name, str) or "spec_name" in entry:
        return False
    if name in _PLAIN_DATA:
        return not any(entry.get(key) for key in ("module", "registered_name"))
    if name not in _MODULE_OF:
        return False
    # The .h5 form leaves the module out: Keras then looks among its own classes only.
    return entry.get("module") in (None, _MODULE_OF[name]) and entry.get("registered_name") in (None, name)


def _describe(entry: dict[str, object]) -> str:
    name, module, registered = (entry.get(key) for key in ("class_name", "module", "registered_name"))
    found = f"the class {name!r:.80}" if "class_name" in entry else "an object without a class"
    if name == "function":
        found = f"the function {entry.get('config')!r:.80}"
    if module is not None:
        found += f" of module {module!r:.80}"
    if registered not in (None, name, entry.get("config")):
        found += f", registered as {registered!r:.80}"
    return found


def _mappings(config: object) -> Iterator[tuple[dict[str, object], str]]:
    """Yield every mapping in `config` with the name of the layer around it."""
    # Not recursive: how deep it goes is up to whoever wrote the file.
    pending: list[tuple[object, str]] = [(config, "")]
    while pending:
        value, layer = pending.pop()
        if isinstance(value, dict):
            name = value.get("name")
            layer = name if isinstance(name, str) and "class_name" in value else layer
            yield value, layer
            pending.extend((inner, layer) for inner in value.values())
        elif isinstance(value, list):
            pending.extend((inner, layer) for inner in value)
