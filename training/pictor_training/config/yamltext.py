"""YAML as people mean it: a key stands once, `1e-3` is a number, the document is a mapping."""

import re
from typing import Any

import yaml

from pictor_training.errors import ConfigError

_NUMBER_WITH_EXPONENT = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+")


class _StrictLoader(yaml.SafeLoader):
    """The safe loader without its three surprises: see `read_mapping`."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem="aliases (*name) are not supported", problem_mark=self.get_mark()
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key '{key.value}' stands twice", problem_mark=key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


# PyYAML follows YAML 1.1, which wants a dot and a signed exponent: it reads 1e-3 as text.
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER_WITH_EXPONENT, list("-+0123456789"))


def read_mapping(text: str, where: str) -> dict[str, Any]:
    """Read a YAML document that must be a mapping; an empty one is an empty mapping.

    Raises:
        ConfigError: not YAML, no mapping, a key twice, an alias; `where` and the line are named.

    """
    data = read_value(text, where)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"{where} must be a mapping of keys to values, for example 'seed: 7'; "
            f"received {type(data).__name__}: {data!r:.60}."
        )
    return data


def read_value(text: str, where: str) -> object:
    """Read one YAML value of any kind.

    Raises:
        ConfigError: not YAML, a key twice, an alias; `where` and the line are named.

    """
    try:
        loader = _StrictLoader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = "" if mark is None else f", line {mark.line + 1}"
        raise ConfigError(f"{where}{line}: {error.problem}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # odd characters, impossible dates, depth
        raise ConfigError(f"{where} cannot be read as YAML: {error}.") from error
