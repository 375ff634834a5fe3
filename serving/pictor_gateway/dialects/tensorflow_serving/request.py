"""What a client may ask of `:predict`, `:classify` and `:regress`."""

from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from pictor_contract.signature import CONTRACT, IMAGES, PROBE
from pictor_gateway.dialects.tensorflow_serving.document import kind, read_object, refuse_repeated_keys
from pictor_gateway.dialects.tensorflow_serving.pixels import pixels_of
from pictor_gateway.errors import InvalidTensor, MalformedRequest
from pictor_gateway.request.encoded import Base64Picture, RawPixels, SentPicture, check_number
from pictor_gateway.request.json_body import Json, shown

SERVING_DEFAULT = "serving_default"
"""The signature that is meant when none is named."""

METHOD_NAME = "tensorflow/serving/predict"
"""What both signatures of a Pictor model are for."""

Layout = Literal["instances", "inputs"]
"""One value a picture, or one list for each input: TensorFlow Serving's row and column forms."""

_EXAMPLES = "examples"
_PICTURE_FEATURES = (IMAGES, "image")
_PICTURE_FORMS = 'a picture is {"b64": "..."} or [height][width][channels] of whole numbers'
_INT32_END = 2**31


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed in one request: `shape` of raw pixels, and most values at once."""

    shape: tuple[int, int, int]
    most: int

    def read(self, body: bytes) -> Json:
        """Return the JSON object of a body whose pictures may all be raw."""
        height, width, channels = self.shape
        lists = (1 + height + height * width) * self.most
        return read_object(body, most_numbers=2 * lists * channels, most_lists=2 * lists)


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures that `serving_default` is asked about."""

    layout: Layout
    pictures: tuple[SentPicture, ...]


@dataclass(frozen=True, slots=True)
class Probes:
    """The question to the signature `contract`, which is answered once for each of its numbers."""

    layout: Layout
    count: int


def read_predict(body: bytes, limits: Limits) -> Pictures | Probes:
    """Read the body of `:predict`. Slow for a large one: not for the event loop.

    Raises:
        MalformedRequest: not JSON, not one of the layouts, an unknown signature, or values of a wrong kind.
        TooManyPictures: more pictures or numbers than allowed.
    """
    document = limits.read(body)
    signature = _signature_in(document)
    if signature not in (SERVING_DEFAULT, CONTRACT):
        raise MalformedRequest(f'Serving signature name: "{signature}" not found in signature def')
    layout = _layout_of(document)
    asks_contract = signature == CONTRACT
    values = _values(document[layout], layout, PROBE if asks_contract else IMAGES, limits)
    asked: Pictures | Probes
    if asks_contract:
        asked = Probes(layout, _count_probes(values))
    else:
        asked = Pictures(layout, _pictures(values, layout, limits))
    refuse_repeated_keys(body, document)
    return asked


def read_classify(body: bytes, limits: Limits) -> tuple[SentPicture, ...]:
    """Read the pictures out of the examples of `:classify`; their other features are ignored.

    Raises:
        MalformedRequest, TooManyPictures: as above.
    """
    document = limits.read(body)
    signature = _signature_in(document)
    examples = _examples(document)
    if signature != SERVING_DEFAULT:
        _refuse_method(signature, "classification", "classify")
    check_number(len(examples), limits.most)
    context = _features(document.get("context", {}))
    features = [_picture_feature(_features(example), context) for example in examples]
    pictures = _pictures(features, _EXAMPLES, limits)
    refuse_repeated_keys(body, document)
    return pictures


def refuse_regress(body: bytes, limits: Limits) -> NoReturn:
    """Refuse `:regress`, as TensorFlow Serving does for a model that has no such signature.

    Raises:
        MalformedRequest: always.
    """
    document = limits.read(body)
    signature = _signature_in(document)
    _examples(document)
    _refuse_method(signature, "regression", "regress")


def _signature_in(document: Json) -> str:
    name = document.get("signature_name", SERVING_DEFAULT)
    if not isinstance(name, str):
        raise MalformedRequest("'signature_name' key must be a string value.")
    return name[:100] or SERVING_DEFAULT


def _refuse_method(signature: str, noun: str, verb: str) -> NoReturn:
    if signature not in (SERVING_DEFAULT, CONTRACT):
        raise MalformedRequest(f"No signature was found with the name: {signature}")
    raise MalformedRequest(
        f"Expected {noun} signature method_name to be tensorflow/serving/{verb}. Was: {METHOD_NAME}"
    )


def _layout_of(document: Json) -> Layout:
    match document:
        case {"instances": _, "inputs": _}:
            raise MalformedRequest("Expecting only one of 'inputs' or 'instances' keys to exist")
        case {"instances": _}:
            return "instances"
        case {"inputs": _}:
            return "inputs"
    raise MalformedRequest("Missing 'inputs' or 'instances' key")


def _values(value: object, layout: Layout, name: str, limits: Limits) -> list[Any]:
    """Return the values of the one input `name`, whose name may be left out."""
    if layout == "inputs" and isinstance(value, dict) and "b64" not in value:
        if name not in value:
            raise MalformedRequest(f"Missing named input: {name} in 'inputs' object.")
        value = value[name]
    if not isinstance(value, list):
        raise MalformedRequest(f"Expecting '{layout}' to be a list: its first dimension is the batch")
    if not value:
        raise MalformedRequest(f"No values in '{layout}' array")
    check_number(len(value), limits.most)
    return [_unnamed(one, name) for one in value] if layout == "instances" else value


def _unnamed(instance: object, name: str) -> object:
    if not isinstance(instance, dict) or "b64" in instance:
        return instance
    if unknown := [key for key in instance if key != name]:
        raise MalformedRequest(f"JSON object: does not have named input: {unknown[0][:100]}")
    if name not in instance:
        raise MalformedRequest(f"JSON object: must have the named input: {name}")
    return instance[name]


def _count_probes(values: list[Any]) -> int:
    for value in values:
        if type(value) is not int or not -_INT32_END <= value < _INT32_END:
            raise MalformedRequest(
                f"JSON Value: {shown(value)} Type: {kind(value)} is not of expected type: int32"
            )
    return len(values)


def _pictures(values: list[Any], where: str, limits: Limits) -> tuple[SentPicture, ...]:
    return tuple(
        _picture(value, f"element: {index} of '{where}'", limits) for index, value in enumerate(values)
    )


def _picture(value: object, where: str, limits: Limits) -> SentPicture:
    if isinstance(value, list):
        try:
            return RawPixels(pixels_of(value, limits.shape))
        except InvalidTensor as error:
            raise InvalidTensor(f"Failed to process {where} list. Error: {error}") from error
    match value:
        case {"b64": str(text), **rest} if not rest:
            return Base64Picture(text)
        case {"b64": _}:
            fault = "not formatted correctly for base64 data"
        case _:
            fault = f"Type: {kind(value)} is not of expected type: uint8"
    raise MalformedRequest(
        f"Failed to process {where} list. Error: JSON Value: {shown(value)} {fault}; {_PICTURE_FORMS}"
    )


def _examples(document: Json) -> list[Any]:
    if _EXAMPLES not in document:
        raise MalformedRequest(f"key '{_EXAMPLES}' is expected and was not found")
    examples = document[_EXAMPLES]
    if not isinstance(examples, list):
        raise MalformedRequest(f"Expecting '{_EXAMPLES}' value to be a list")
    if not examples:
        raise MalformedRequest(f"'{_EXAMPLES}' value is an empty array")
    return examples


def _features(value: object) -> Json:
    if not isinstance(value, dict):
        raise MalformedRequest(f"Example must be JSON object but got JSON {kind(value)}")
    return value


def _picture_feature(example: Json, context: Json) -> object:
    """Return the picture of an example; what all examples have in common may stand in the context."""
    if both := example.keys() & context.keys():
        raise MalformedRequest(f"Feature: {min(both)[:100]} is in the context and in an example")
    features = [one[name] for one in (example, context) for name in _PICTURE_FEATURES if name in one]
    if len(features) != 1:
        raise MalformedRequest(f"Each example must have one feature with a picture: {IMAGES} (or image)")
    match features[0]:
        case [{"b64": _} as only]:  # a feature is a list; of one value it may be left out
            return only
    return features[0]
