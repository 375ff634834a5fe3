"""Values laid over each other, each remembered with where it came from."""

from collections.abc import Mapping
from typing import Any

from pictor_training.errors import ConfigError

Path = tuple[str | int, ...]
"""Where a value stands: keys, and positions in lists."""


def dotted(path: Path) -> str:
    """Return the path as the command line and the messages write it: network.blocks.0.filters."""
    return ".".join(str(part) for part in path)


class Layers:
    """One mapping, built from several; `origin` tells which of them decided a value."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._origins: dict[Path, str] = {}

    def lay(self, values: Mapping[str, Any], origin: str) -> None:
        """Lay `values` over what is there: mappings are merged, all else is replaced."""
        self._merge(self.values, values, (), origin)

    def put(self, path: Path, value: object, origin: str) -> None:
        """Set one value; sections that are missing on the way are made, list entries are not.

        Raises:
            ConfigError: the path leads through a value without keys, or to a list entry that is not there.

        """
        at: Any = self.values
        for depth, part in enumerate(path[:-1]):
            at = self._step(at, part, path[:depth], origin)
        last = path[-1]
        if isinstance(at, dict) and isinstance(value, Mapping):
            self._merge(at, {str(last): value}, path[:-1], origin)
            return
        if isinstance(at, dict):
            at[str(last)] = value
        else:
            at[_position(at, last, path[:-1], origin)] = value
        self._origins[path] = origin

    def origin(self, path: Path) -> str:
        """Who decided the value at `path`, or something in it; "" where nobody did."""
        for length in range(len(path), 0, -1):
            if found := self._origins.get(path[:length]):
                return found
        inside = [who for known, who in self._origins.items() if known[: len(path)] == path]
        return inside[-1] if inside else ""

    def _merge(self, below: dict[str, Any], above: Mapping[str, Any], path: Path, origin: str) -> None:
        for key, value in above.items():
            here = (*path, key)
            if isinstance(value, Mapping):
                if not isinstance(below.get(key), dict):
                    below[key] = {}
                    self._origins[here] = origin  # also of an empty mapping
                self._merge(below[key], value, here, origin)
            else:
                below[key] = value
                self._origins[here] = origin

    def _step(self, at: dict[str, Any] | list[Any], part: str | int, path: Path, origin: str) -> Any:  # noqa: ANN401  # whatever stands there
        if isinstance(at, dict):
            return at.setdefault(str(part), {})
        return at[_position(at, part, path, origin)]


def _position(at: object, part: str | int, path: Path, origin: str) -> int:
    where = dotted(path)
    if not isinstance(at, list):
        raise ConfigError(f"{origin}: {where} has no keys below it; its value is {at!r:.60}.")
    if not isinstance(part, int) or not 0 <= part < len(at):
        wanted = (
            f"a number from 0 to {len(at) - 1}" if at else "nothing: the list is empty, set it as a whole"
        )
        raise ConfigError(f"{origin}: after '{where}.' comes {wanted}; received {part!r}.")
    return part
