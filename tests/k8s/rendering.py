"""What `kubectl apply -k` would send, as Python objects."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tools import tool

K8S: Final = Path(__file__).parents[2] / "k8s"
OVERLAYS: Final = sorted(path.parent.name for path in (K8S / "overlays").glob("*/kustomization.yaml"))
COMPONENTS: Final = sorted(path.parent.name for path in (K8S / "components").glob("*/kustomization.yaml"))
BASES: Final = ("base/namespace", "base/storage", "base/gateway", "base/tf-serving", "base/retrain")
"""What every overlay starts from: with `combined`, an overlay without components."""
NAMESPACE: Final = "pictor"

Object = dict[str, Any]
"""One Kubernetes object as read from YAML."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml is there


@cache
def rendered(folder: Path) -> tuple[Object, ...]:
    """Render a kustomization once per process; the objects are shared, so nobody may change them."""
    done = subprocess.run(
        [tool("kubectl"), "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return tuple(found for found in yaml.load_all(done.stdout, Loader=_LOADER) if found)


def overlay(name: str) -> tuple[Object, ...]:
    """Render one of our overlays."""
    return rendered(K8S / "overlays" / name)


def combined(components: Sequence[str], bases: Sequence[str] = BASES) -> tuple[Object, ...]:
    """Render `components`, in this order, over `bases`, as an overlay of a user would have them.

    Bases are folders of k8s/ ("overlays/local"). Image names are set last, as everywhere.
    """
    return _combined(tuple(components), tuple(bases))


@cache
def _combined(components: tuple[str, ...], bases: tuple[str, ...]) -> tuple[Object, ...]:
    with tempfile.TemporaryDirectory(prefix="pictor-k8s-") as made:
        folder = Path(made).resolve()  # kustomize reads paths below a folder without its links
        written = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": NAMESPACE,
            "resources": [os.path.relpath(K8S / base, folder) for base in bases],
            "components": [
                os.path.relpath(K8S / part, folder)
                for part in (*(f"components/{name}" for name in components), "images")
            ],
        }
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(written), encoding="utf-8")
        return rendered(folder)


def of_kind(objects: Sequence[Object], kind: str) -> list[Object]:
    """Return the objects of one kind."""
    return [found for found in objects if found["kind"] == kind]
