"""What the schema refuses, in lines a person can act on."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pictor_training.config.layers import Layers, Path, dotted

_WANTED = {
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "invalid_key": "keys that are text",
    "int_type": "a whole number",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "a section with keys of its own",
    "string_too_short": "text that is not empty",
    "string_type": "text (in quotes, if it looks like a number or a date)",
    "too_long": "at most {max_length} entries",
    "too_short": "at least {min_length} entries",
}


def explain(error: ValidationError, layers: Layers, schema: type[BaseModel]) -> str:
    """Return one line for each key that `schema` refuses: what was received, from where, what is wanted."""
    wanted: dict[Path, list[str]] = {}
    lines: dict[Path, str] = {}
    for detail in error.errors(include_url=False):
        path, entry = _split(detail["loc"], layers.values)
        if detail["type"] == "extra_forbidden":
            lines[path] = _unknown(path, layers, schema)
        elif detail["type"] == "missing":
            lines[path] = f"{dotted(path)} is missing. {_how_to_set(path)}"
        else:
            wanted.setdefault(path, []).append(entry + _wanted(detail))
            received = repr(_value_at(path, layers.values))
            lines[path] = f"{dotted(path)}: received {received:.80}{_from(path, layers)}; wanted "
    return "\n".join(
        line + " or ".join(wanted[path]) + "." if path in wanted else line for path, line in lines.items()
    )


def is_text(path: Path, schema: type[BaseModel]) -> bool:
    """Whether the schema's value at `path` is text, so that `name=2024` means the text, not the number."""
    annotation: object = schema
    for part in path:
        annotation = _below(annotation, part)
    return annotation is str or (str in get_args(annotation) and type(None) in get_args(annotation))


def _split(loc: Path, values: Any) -> tuple[Path, str]:  # noqa: ANN401  # YAML's mappings, lists and scalars
    """Return the path without the names of a union's branches, and the entry below the union, in words."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        missing_key = isinstance(values, dict) and position == len(loc) - 1
        if not missing_key and not _has(values, part):
            below = loc[position + 1 :]
            return tuple(path), f"in entry {dotted(below)} " if below else ""
        path.append(part)
        values = values[part] if _has(values, part) else None
    return tuple(path), ""


def _has(values: object, part: str | int) -> bool:
    return part in values if isinstance(values, dict) else isinstance(values, list) and isinstance(part, int)


def _unknown(path: Path, layers: Layers, schema: type[BaseModel]) -> str:
    key, section = str(path[-1]), path[:-1]
    here = list(_fields(section, schema))
    everywhere = {
        known: (*parent, known) for parent in _sections(schema) for known in _fields(parent, schema)
    }
    line = f"unknown key '{dotted(path)}'{_from(path, layers)}. "
    if close := get_close_matches(key, here, n=1):
        return f"{line}Did you mean '{dotted((*section, close[0]))}'?"
    if close := get_close_matches(key, everywhere, n=1):
        return f"{line}Did you mean '{dotted(everywhere[close[0]])}'?"
    return f"{line}Known here: {', '.join(here)}."


def _wanted(detail: ErrorDetails) -> str:
    template = _WANTED.get(detail["type"])
    return detail["msg"] if template is None else template.format(**detail.get("ctx", {}))


def _how_to_set(path: Path) -> str:
    if path == ("data", "path"):
        return "Name the folder of pictures: --data DIR, or data.path in the configuration."
    return f"Set it in the configuration, or on the command line: {dotted(path)}=VALUE."


def _from(path: Path, layers: Layers) -> str:
    origin = layers.origin(path)
    return f" (from {origin})" if origin else ""


def _value_at(path: Path, values: Any) -> object:  # noqa: ANN401  # mappings and lists, told apart by the path
    for part in path:
        values = values[part]
    return values


def _fields(section: Path, schema: type[BaseModel]) -> Iterator[str]:
    """Yield the keys that the schema knows in a section."""
    annotation: object = schema
    for part in section:
        annotation = _below(annotation, part)
    model = _model(annotation)
    yield from model.model_fields if model is not None else ()


def _sections(schema: type[BaseModel]) -> Iterator[Path]:
    """Yield the schema and its sections, the outer ones last: of two keys of one name the outer is meant."""
    for name, field in schema.model_fields.items():
        below = _model(field.annotation)
        if below is not None and get_origin(field.annotation) is not list:
            yield from ((name, *path) for path in _sections(below))
    yield ()


def _below(annotation: object, part: str | int) -> object:
    """Return the type of what stands at `part` inside a value of type `annotation`."""
    model = _model(annotation)
    if model is None or isinstance(part, int):
        return model
    field = model.model_fields.get(part)
    return None if field is None else field.annotation


def _model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model(inner) for inner in get_args(annotation))
    return next((model for model in found if model is not None), None)
