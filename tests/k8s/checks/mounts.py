"""What pods take from other objects: settings, secrets, volumes, identities."""

import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Final

from k8s.checks.reading import Template, at, each_container, name_of, quantity, templates
from k8s.rendering import Object, of_kind

MADE_BY_HAND: Final = {
    ("Secret", "pictor-feedback"): "signs prediction ids; components/capture says how",
}
"""What pods may refer to although no manifest of ours makes it, with the reason."""

WRITERS: Final = {"retrain": "publishes versions", "several-machines": "trains what is published"}
"""Components (app.kubernetes.io/component) whose pods may write the models, with the reason."""

MODELS: Final = "pictor-models"

DIGESTS: Final = "pictor-api-keys"
"""The one Secret of ours: what it holds gives nothing away, and everybody's is empty at first."""

_DIGEST_LINE: Final = re.compile(r"(#.*)?|[\w.-]+:[0-9a-f]{64}(:[\d.]+)*")

_CLAIM: Final = "PersistentVolumeClaim"
_UNREFERENCED: Final = ("grafana_dashboard",)
"""Labels of ConfigMaps that something outside looks for."""


def references(objects: Sequence[Object]) -> Iterator[str]:
    """Find ConfigMaps, Secrets, claims, accounts, and keys of them, that a pod names and nobody makes."""
    for template in templates(objects):
        for kind, name, keys, where in _asked(template):
            if (kind, name) in MADE_BY_HAND:
                continue
            found = _find(objects, kind, name, template.namespace)
            if found is None:
                yield f"{template} {where} needs {kind}/{name}, which is not there"
                continue
            there = {
                *(found.get("data") or {}),
                *(found.get("binaryData") or {}),
                *(found.get("stringData") or {}),
            }
            for key in keys - there:
                yield f"{template} {where} needs key {key!r} of {kind}/{name}, which has {sorted(there)}"


Reference = tuple[str, str, set[str], str]


def _asked(template: Template) -> Iterator[Reference]:
    yield "ServiceAccount", template.spec.get("serviceAccountName", "default"), set(), "serviceAccountName"
    for container in template.containers:
        yield from _of_environment(container)
    for volume in template.spec.get("volumes") or []:
        where = f"volume {volume['name']}"
        if claim := at(volume, "persistentVolumeClaim", "claimName"):
            yield _CLAIM, claim, set(), where
        for source in [volume, *(at(volume, "projected", "sources") or [])]:
            yield from _of_source(source, where)


def _of_environment(container: Object) -> Iterator[Reference]:
    where = f"container {container['name']}"
    for source in container.get("envFrom") or []:
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if field in source and not source[field].get("optional"):
                yield kind, source[field]["name"], set(), where
    for variable in container.get("env") or []:
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            asked = at(variable, "valueFrom", field)
            if asked and not asked.get("optional"):
                yield kind, asked["name"], {asked["key"]}, where


def _of_source(source: Object, where: str) -> Iterator[Reference]:
    for field, kind, called in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        asked = source.get(field)
        if asked and not asked.get("optional"):
            keys = {item["key"] for item in asked.get("items") or []}
            yield kind, asked.get(called) or asked["name"], keys, where


def _find(objects: Sequence[Object], kind: str, name: str, namespace: str) -> Object | None:
    for found in of_kind(objects, kind):
        if found["metadata"]["name"] == name and found["metadata"].get("namespace", "") == namespace:
            return found
    return None


def unused(objects: Sequence[Object]) -> Iterator[str]:
    """Find ConfigMaps, Secrets, claims and accounts that no pod uses: they mislead who reads them."""
    used = {(kind, name) for template in templates(objects) for kind, name, *_ in _asked(template)}
    for kind in ("ConfigMap", "Secret", _CLAIM, "ServiceAccount"):
        for found in of_kind(objects, kind):
            labels = at(found, "metadata", "labels") or {}
            name = found["metadata"]["name"]
            if (kind, name) not in used and not any(label in labels for label in _UNREFERENCED):
                yield f"{name_of(found)} is used by no pod"


def volumes(objects: Sequence[Object]) -> Iterator[str]:
    """Find mounts without a volume, volumes without a mount, subPaths and endless emptyDirs."""
    for template in templates(objects):
        declared = [volume["name"] for volume in template.spec.get("volumes") or []]
        mounted = set()
        for container in template.containers:
            mounts = container.get("volumeMounts") or []
            mounted |= {mount["name"] for mount in mounts}
            yield from _mounts(f"{template} container {container['name']}", mounts, declared)
        for name in sorted({*declared} - mounted):
            yield f"{template} declares volume {name!r}, which nothing mounts"
        for volume in template.spec.get("volumes") or []:
            if "emptyDir" in volume and not at(volume, "emptyDir", "sizeLimit"):
                yield f"{template} volume {volume['name']} has no sizeLimit"


def _mounts(where: str, mounts: list[Object], declared: list[str]) -> Iterator[str]:
    paths = [mount["mountPath"] for mount in mounts]
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        yield f"{where} mounts {path} twice"
    for mount in mounts:
        if declared.count(mount["name"]) != 1:
            yield f"{where} mounts {mount['name']!r}, declared {declared.count(mount['name'])} times"
        if "subPath" in mount or "subPathExpr" in mount:
            yield f"{where} mounts {mount['name']!r} by subPath, where changes never arrive"


def models_volume(objects: Sequence[Object]) -> Iterator[str]:
    """Find pods beside retraining that may write the models: claim and mount must both be read-only."""
    for template in templates(objects):
        if template.labels.get("app.kubernetes.io/component") in WRITERS:
            continue
        claims = {
            volume["name"]: volume["persistentVolumeClaim"]
            for volume in template.spec.get("volumes") or []
            if at(volume, "persistentVolumeClaim", "claimName") == MODELS
        }
        for volume, claim in claims.items():
            if claim.get("readOnly") is not True:
                yield f"{template} volume {volume} may write {MODELS}"
        for container in template.containers:
            for mount in container.get("volumeMounts") or []:
                if mount["name"] in claims and mount.get("readOnly") is not True:
                    yield f"{template} container {container['name']} may write {MODELS}"


def shared_claims(objects: Sequence[Object]) -> Iterator[str]:
    """Find claims that pods on several nodes mount and that only one node can.

    Where no claim is for several nodes (overlays/local), there is but one.
    """
    if not any("ReadWriteMany" in claim["spec"]["accessModes"] for claim in of_kind(objects, _CLAIM)):
        return
    for claim in of_kind(objects, _CLAIM):
        name = claim["metadata"]["name"]
        users = [template for template in templates(objects) if (_CLAIM, name) in _pairs(template)]
        modes = set(claim["spec"]["accessModes"])
        if any(template.runs_on for template in users) and not modes & {"ReadWriteMany", "ReadOnlyMany"}:
            yield f"{name_of(claim)} is mounted by {[*map(str, users)]} and is only {sorted(modes)}"
        if not modes & {"ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"}:
            yield f"{name_of(claim)} can be written by nobody"


def _pairs(template: Template) -> set[tuple[str, str]]:
    return {(kind, name) for kind, name, *_ in _asked(template)}


def scratch_fits(objects: Sequence[Object]) -> Iterator[str]:
    """Find emptyDirs that may hold more than the containers' ephemeral storage: the pod is evicted."""
    for template in templates(objects):
        limit = sum(
            quantity(at(container, "resources", "limits", "ephemeral-storage") or 0)
            for container in template.containers
        )
        held = sum(
            quantity(at(volume, "emptyDir", "sizeLimit") or 0)
            for volume in template.spec.get("volumes") or []
            if "emptyDir" in volume and volume["emptyDir"].get("medium") != "Memory"
        )
        if held > limit:
            yield f"{template} has emptyDirs of {held} bytes and may use {limit}"


def secrets_in_sight(objects: Sequence[Object]) -> Iterator[str]:
    """Find variables that carry a secret as text, and Secrets in a repository that say more than digests."""
    for _, container, where in each_container(objects):
        for variable in container.get("env") or []:
            name = variable["name"].upper()
            secret = any(word in name for word in ("TOKEN", "PASSWORD", "SECRET", "API_KEY"))
            if secret and not name.endswith("_FILE") and variable.get("value"):
                yield f"{where} has {variable['name']} as plain text"
    for found in of_kind(objects, "Secret"):
        lines = [line for text in (found.get("data") or {}).values() for line in _lines(text)]
        lines += [line for text in (found.get("stringData") or {}).values() for line in text.splitlines()]
        digests = all(_DIGEST_LINE.fullmatch(line) for line in lines)
        if found["metadata"]["name"] != DIGESTS or not digests:
            yield f"{name_of(found)} stands in the manifests with what it holds"


def _lines(encoded: str) -> list[str]:
    return binascii.a2b_base64(encoded).decode().splitlines()
