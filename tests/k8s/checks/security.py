"""Pod Security `restricted` in full, and what it does not ask for: high ids, read-only roots, no tokens."""

from collections.abc import Iterator, Sequence
from typing import Final

from k8s.checks.reading import at, each_container, name_of, templates
from k8s.rendering import Object, of_kind

VOLUMES: Final = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
"""Volume types that Pod Security allows."""

LOWEST_ID: Final = 10_000
"""Lower ids may exist on the node, with rights of their own; kube-score asks for this one."""

_HOST: Final = ("hostNetwork", "hostPID", "hostIPC")
_KERNEL: Final = ("sysctls", "seLinuxOptions", "windowsOptions")
_PROFILES: Final = {"RuntimeDefault", "Localhost"}


def pods(objects: Sequence[Object]) -> Iterator[str]:
    """Find pods that may run as root, without seccomp, or share something with the host."""
    for template in templates(objects):
        context = template.spec.get("securityContext") or {}
        wanted = {
            "may run as root": context.get("runAsNonRoot") is True,
            f"runs as user {context.get('runAsUser')!r}": _high(context.get("runAsUser")),
            f"runs as group {context.get('runAsGroup')!r}": _high(context.get("runAsGroup")),
            "has no seccomp profile": at(context, "seccompProfile", "type") in _PROFILES,
            "shares the host's network, processes or memory": not any(map(template.spec.get, _HOST)),
            "reaches into the kernel's settings": not any(map(context.get, _KERNEL)),
        }
        yield from (f"{template} {fault}" for fault, holds in wanted.items() if not holds)
        for volume in template.spec.get("volumes") or []:
            if not set(volume) - {"name"} <= VOLUMES:
                yield f"{template} volume {volume['name']} is of a type that is not allowed: {sorted(volume)}"


def containers(objects: Sequence[Object]) -> Iterator[str]:
    """Find containers that keep capabilities or privilege, or may write their image."""
    for _, container, where in each_container(objects):
        context = container.get("securityContext") or {}
        wanted = {
            "may gain privileges": context.get("allowPrivilegeEscalation") is False,
            "may write its root file system": context.get("readOnlyRootFilesystem") is True,
            "keeps capabilities": context.get("capabilities") == {"drop": ["ALL"]},
            "is privileged": not context.get("privileged") and "procMount" not in context,
            "may run as root": context.get("runAsNonRoot") is not False,
            "runs as a low user": _high(context.get("runAsUser", LOWEST_ID)),
            "has no seccomp profile": at(context, "seccompProfile", "type") in {None, *_PROFILES},
            "takes a port of the host": not any("hostPort" in one for one in container.get("ports") or []),
        }
        yield from (f"{where} {fault}" for fault, holds in wanted.items() if not holds)


def _high(found: object) -> bool:
    return isinstance(found, int) and found >= LOWEST_ID


def identities(objects: Sequence[Object]) -> Iterator[str]:
    """Find pods without an account of their own, and accounts and pods that mount a token."""
    for account in of_kind(objects, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"{name_of(account)} mounts its token"
    for template in templates(objects):
        if template.spec.get("serviceAccountName", "default") == "default":
            yield f"{template} runs as the namespace's default account"
        if template.spec.get("automountServiceAccountToken") is not False:
            yield f"{template} mounts a token"
        if template.spec.get("enableServiceLinks") is not False:
            yield f"{template} gets variables of Services: PICTOR_PORT=tcp://... is refused"


def rights(objects: Sequence[Object]) -> Iterator[str]:
    """Find rights at the API server: nothing of ours speaks to it."""
    for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        for found in of_kind(objects, kind):
            yield f"{name_of(found)}: no pod of ours needs the API server"


def namespaces(objects: Sequence[Object]) -> Iterator[str]:
    """Find Namespaces that do not enforce `restricted`, and warn and record by the same rule."""
    for found in of_kind(objects, "Namespace"):
        labels = at(found, "metadata", "labels") or {}
        for mode in ("enforce", "warn", "audit"):
            if labels.get(f"pod-security.kubernetes.io/{mode}") != "restricted":
                yield f"{name_of(found)} does not {mode} Pod Security restricted"
