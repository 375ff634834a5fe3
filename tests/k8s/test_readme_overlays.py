"""What the READMEs of k8s/ show as an overlay renders, and every image has its version."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from k8s.checks.every import faults
from k8s.checks.reading import templates
from k8s.rendering import K8S, Object, of_kind, rendered

FIELDS: Final = {"namespace", "resources", "components", "configMapGenerator", "secretGenerator", "patches"}
"""What tells an overlay from a bare patch."""
BELOW: Final = {"cpu": "local", "embedded": "local", "keda": "production-keda"}
"""What an overlay stands on that does not say so itself, by the README's folder; production elsewhere."""
BLOCK: Final = re.compile(r"^ *```yaml\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def _shown() -> Iterator[tuple[Path, dict[str, Any]]]:
    for file in sorted(K8S.rglob("README.md")):
        for block in BLOCK.findall(file.read_text("utf-8")):
            found = yaml.safe_load(block)
            if isinstance(found, dict) and {"components"} != found.keys() <= FIELDS:
                yield file, found


SHOWN: Final = list(_shown())


def _written(file: Path, shown: dict[str, Any], folder: Path) -> Path:
    """Write the overlay into `folder`, with its paths led back into k8s/ and its files beside it."""
    folder = folder.resolve()
    below = shown.get("resources") or [f"../{BELOW.get(file.parent.name, 'production')}"]
    whole = {**shown, "resources": [_led(one, folder) for one in below]}
    whole["components"] = [_led(one, folder) for one in shown.get("components", ())]
    for made in (*shown.get("configMapGenerator", ()), *shown.get("secretGenerator", ())):
        for name in made.get("files", ()):
            text = next(iter([*file.parent.rglob(name), *K8S.rglob(name)])).read_text("utf-8")
            (folder / name).write_text(f"{text}# changed\n", "utf-8")
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(whole), "utf-8")
    return folder


def _led(path: str, folder: Path) -> str:
    return os.path.relpath((K8S / "overlays/mine" / path).resolve(), folder)


@pytest.mark.parametrize("shown", SHOWN, ids=[f"{file.parent.name}-{n}" for n, (file, _) in enumerate(SHOWN)])
def test_an_overlay_of_a_readme_renders_without_a_fault(
    shown: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """Literally as it stands there; without a version `latest` would be fetched, which nobody built."""
    objects = rendered(_written(*shown, tmp_path))
    assert [] == faults(objects)
    assert [] == [one for one in _images(objects) if ":" not in one and "@" not in one]


def _images(objects: tuple[Object, ...]) -> list[str]:
    pods = [one.spec for one in templates(objects)]
    return [one["image"] for pod in pods for one in (*pod.get("initContainers", ()), *pod["containers"])]


def test_what_production_leaves_to_be_filled_in_renders(tmp_path: Path) -> None:
    """The patches that stand there as comments are right once their hashes are taken away."""
    file = K8S / "overlays/production/kustomization.yaml"
    comment = file.read_text("utf-8").partition("# patches:\n")[2]
    patches = yaml.safe_load("patches:\n" + re.sub(r"^# ", "", comment, flags=re.MULTILINE))
    objects = rendered(_written(file, patches, tmp_path))
    claims = [one["spec"]["storageClassName"] for one in of_kind(objects, "PersistentVolumeClaim")]
    assert ["YOUR-BLOCK-CLASS", "YOUR-RWX-CLASS", "YOUR-RWX-CLASS"] == sorted(claims)
    deployments = [one["spec"]["template"]["spec"] for one in of_kind(objects, "Deployment")]
    assert {"YOUR-CLASS"} == {one["priorityClassName"] for one in deployments}


def test_overlays_are_shown() -> None:
    """The list is no empty one."""
    assert len(SHOWN) > 8
