"""The stand-in as a process: `python -m tfs '{"options": {...}, "begin": [["load_colours", {...}], ...]}'`.

It prints {"port": ...} once it listens, after all of `begin`. Then each line of its input, [action,
arguments], is done and answered by a line; the end of the input ends it.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tfs.batching import BatchingRules
from tfs.stand_in import StandIn, TlsFiles

_ACTIONS = frozenset({"load_colours", "load_half", "load_folder", "report", "unload", "label", "metrics"})
_FAULTS = frozenset({"heal", "slow", "hold", "fail", "spoil"})


def main() -> None:
    """Serve until the input ends."""
    wanted = json.loads(sys.argv[1])
    stand_in = StandIn(**_options(wanted["options"]))
    for action, arguments in wanted["begin"]:
        _do(stand_in, action, arguments)
    stand_in.start()
    _say({"port": stand_in.port})
    for line in sys.stdin:
        action, arguments = json.loads(line)
        _say({"answer": _do(stand_in, action, arguments)})
    stand_in.close()


def _do(stand_in: StandIn, action: str, arguments: dict[str, Any]) -> Any:
    if action == "asked":
        return [asdict(call) for call in stand_in.asked(**arguments)]
    if action in _FAULTS:
        getattr(stand_in.faults, action)(**arguments)
        return None
    if action not in _ACTIONS:
        raise ValueError(f"{action} is none of {sorted(_ACTIONS | _FAULTS | {'asked'})}")
    answer = getattr(stand_in, action)(**arguments)
    return answer if isinstance(answer, int) else None


def _options(given: dict[str, Any]) -> dict[str, Any]:
    options = dict(given)
    if "batching" in options:
        options["batching"] = BatchingRules(**options["batching"])
    if "tls" in options:
        options["tls"] = TlsFiles(**{name: Path(path) for name, path in options["tls"].items()})
    return options


def _say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
