"""The mistakes: what reviews, linters and nights on call have found in manifests like these."""

from typing import Final

from k8s.mutations import (
    COMPONENT,
    FIRST,
    GATEWAY,
    GONE,
    JOB,
    POD,
    RETRAIN,
    SERVING,
    Mistake,
    ingress,
    second_scaler,
    thing,
)

_SERVICE: Final = "Service/pictor-gateway"
_HEADLESS: Final = "Service/pictor-tf-serving"
_BUDGET: Final = "PodDisruptionBudget/pictor-gateway"
_HPA: Final = "HorizontalPodAutoscaler/pictor-gateway"
_ACCOUNT: Final = "ServiceAccount/pictor-gateway"
_POLICY: Final = "NetworkPolicy/pictor-gateway"
_NIGHT: Final = f"{JOB} template spec"

REFERENCES: Final = [
    Mistake("references.services", _SERVICE, f"spec selector {COMPONENT}", "gatewai"),
    Mistake("references.services", _SERVICE, f"spec selector {COMPONENT}"),
    Mistake("references.services", _SERVICE, "spec ports 0 targetPort", "web"),
    Mistake("references.services", _SERVICE, "spec ports 0 targetPort", 80),
    Mistake("references.services", _SERVICE, "spec type", "LoadBalancer"),
    Mistake("references.services", _HEADLESS, "spec ports 0 port", 80),
    Mistake("references.disruption_budgets", _BUDGET, "spec selector"),
    Mistake("references.disruption_budgets", _BUDGET, "spec selector", {}),
    Mistake("references.disruption_budgets", _BUDGET, f"spec selector matchLabels {COMPONENT}", "server"),
    Mistake("references.disruption_budgets", _BUDGET, "spec maxUnavailable", 0),
    Mistake("references.disruption_budgets", _BUDGET, "spec unhealthyPodEvictionPolicy"),
    Mistake("references.disruption_budgets", _BUDGET),
    Mistake("references.scalers", _HPA, "spec scaleTargetRef name", "gateway"),
    Mistake("references.scalers", _HPA, "spec scaleTargetRef apiVersion", "extensions/v1beta1"),
    Mistake("references.scalers", _HPA, "spec scaleTargetRef kind", "StatefulSet"),
    Mistake("references.scalers", _HPA, "spec minReplicas", 30),
    Mistake("references.scalers", _HPA, "spec metrics 1 containerResource container", "app"),
    Mistake("references.scalers", GATEWAY, "spec replicas", 2),
    Mistake("references.scalers", "", value=second_scaler()),
    Mistake("references.scalers", SERVING, "spec replicas", 2, on="production-keda"),
    Mistake("references.monitors", "ServiceMonitor/pictor-gateway", "spec endpoints 0 port", "web"),
    Mistake(
        "references.monitors", "ServiceMonitor/pictor-gateway", f"spec selector matchLabels {COMPONENT}", "a"
    ),
    Mistake(
        "references.monitors", "PodMonitor/pictor-tf-serving", "spec podMetricsEndpoints 0 port", "metrics"
    ),
    Mistake("references.monitors", "PodMonitor/pictor-tf-serving", "spec selector matchLabels a", "b"),
    Mistake("references.network_policies", _POLICY, f"spec podSelector matchLabels {COMPONENT}", "proxy"),
    Mistake(
        "references.network_policies",
        _POLICY,
        f"spec egress 0 to 0 podSelector matchLabels {COMPONENT}",
        "tensorflow",
    ),
    Mistake("references.network_policies", _POLICY, "spec egress 0 ports 0 port", 9000),
    Mistake("references.network_policies", _POLICY, "spec ingress 0 ports 0 port", "web"),
    Mistake("references.fenced", "NetworkPolicy/pictor-default-deny"),
    Mistake("references.fenced", "NetworkPolicy/pictor-default-deny", "spec policyTypes", ["Egress"]),
    Mistake("references.routes", "", value=ingress("pictor-gateway", "web")),
    Mistake("references.routes", "", value=ingress("gateway", "http")),
]

MOUNTS: Final = [
    Mistake("mounts.references", GATEWAY, f"{FIRST} envFrom 0 configMapRef name", "pictor-gatewy"),
    Mistake("mounts.references", "ConfigMap/pictor-gateway"),
    Mistake("mounts.references", "PersistentVolumeClaim/pictor-runs"),
    Mistake("mounts.references", "ServiceAccount/pictor-retrain"),
    Mistake("mounts.references", GATEWAY, f"{FIRST} envFrom 0", {"secretRef": {"name": "settings"}}),
    Mistake(
        "mounts.references",
        SERVING,
        f"{POD} volumes +",
        {"name": "more", "configMap": {"name": "pictor-tf-serving-missing"}},
    ),
    Mistake(
        "mounts.references",
        GATEWAY,
        f"{FIRST} env",
        [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
    ),
    Mistake("mounts.unused", "", value=thing("ConfigMap", "left-over", data={})),
    Mistake("mounts.unused", "", value=thing("PersistentVolumeClaim", "left-over", spec={})),
    Mistake("mounts.unused", "", value=thing("ServiceAccount", "left-over")),
    Mistake("mounts.volumes", GATEWAY, f"{FIRST} volumeMounts tmp name", "temp"),
    Mistake("mounts.volumes", GATEWAY, f"{FIRST} volumeMounts tmp subPath", "a"),
    Mistake("mounts.volumes", SERVING, f"{FIRST} volumeMounts +", {"name": "tmp", "mountPath": "/models"}),
    Mistake(
        "mounts.volumes", GATEWAY, f"{POD} volumes +", {"name": "idle", "emptyDir": {"sizeLimit": "1Mi"}}
    ),
    Mistake("mounts.volumes", GATEWAY, f"{POD} volumes tmp", {"name": "tmp", "emptyDir": {}}),
    Mistake("mounts.models_volume", SERVING, f"{FIRST} volumeMounts models readOnly"),
    Mistake("mounts.models_volume", SERVING, f"{POD} volumes models persistentVolumeClaim readOnly"),
    Mistake(
        "mounts.shared_claims",
        "PersistentVolumeClaim/pictor-models",
        "spec accessModes",
        ["ReadWriteOnce"],
    ),
    Mistake(
        "mounts.shared_claims", "PersistentVolumeClaim/pictor-models", "spec accessModes", ["ReadOnlyMany"]
    ),
    Mistake("mounts.scratch_fits", GATEWAY, f"{POD} volumes tmp emptyDir sizeLimit", "40Gi"),
    Mistake(
        "mounts.secrets_in_sight", GATEWAY, f"{FIRST} env", [{"name": "PICTOR_API_KEYS", "value": "a:b"}]
    ),
    Mistake("mounts.secrets_in_sight", "", value=thing("Secret", "token", stringData={"a": "b"})),
    Mistake("mounts.secrets_in_sight", "Secret/pictor-api-keys", "data keys.txt", "c2hvcDpwaWN0b3JfYWJj"),
]

SECURITY: Final = [
    *(
        Mistake("security.pods", where, f"{pod} {path}", value)
        for where, pod in ((GATEWAY, POD), (RETRAIN, _NIGHT))
        for path, value in (
            ("securityContext runAsNonRoot", GONE),
            ("securityContext runAsUser", 0),
            ("securityContext runAsGroup", 1000),
            ("securityContext seccompProfile", GONE),
            ("securityContext seccompProfile type", "Unconfined"),
            ("securityContext", GONE),
            ("hostNetwork", True),
            ("hostPID", True),
            ("volumes +", {"name": "host", "hostPath": {"path": "/"}}),
        )
    ),
    *(
        Mistake("security.containers", SERVING, f"{POD} {path}", value)
        for path, value in (
            ("containers 0 securityContext", GONE),
            ("containers 0 securityContext allowPrivilegeEscalation", GONE),
            ("containers 0 securityContext readOnlyRootFilesystem", False),
            ("containers 0 securityContext capabilities", GONE),
            ("containers 0 securityContext capabilities add", ["NET_ADMIN"]),
            ("containers 0 securityContext privileged", True),
            ("containers 0 securityContext runAsUser", 0),
            ("containers 0 securityContext runAsNonRoot", False),
            ("containers 0 ports 0 hostPort", 8500),
            ("initContainers 0 securityContext allowPrivilegeEscalation", GONE),
        )
    ),
    Mistake("security.identities", _ACCOUNT, "automountServiceAccountToken"),
    Mistake("security.identities", GATEWAY, f"{POD} automountServiceAccountToken", True),
    Mistake("security.identities", GATEWAY, f"{POD} serviceAccountName"),
    Mistake("security.identities", GATEWAY, f"{POD} enableServiceLinks"),
    Mistake("security.rights", "", value=thing("Role", "all", "rbac.authorization.k8s.io/v1", rules=[])),
    Mistake(
        "security.namespaces",
        "Namespace/pictor",
        "metadata labels pod-security.kubernetes.io/enforce",
        "baseline",
    ),
]

PROBES: Final = [
    *(
        Mistake("probes.present", where, f"{FIRST} {kind}")
        for where in (GATEWAY, SERVING)
        for kind in ("startupProbe", "readinessProbe", "livenessProbe")
    ),
    Mistake("probes.ports", GATEWAY, f"{FIRST} readinessProbe httpGet port", "probes"),
    Mistake("probes.ports", GATEWAY, f"{FIRST} readinessProbe httpGet port", 8081),
    Mistake("probes.ports", SERVING, f"{FIRST} livenessProbe", {"grpc": {"port": 8400}}),
    Mistake(
        "probes.ports", GATEWAY, f"{FIRST} lifecycle", {"preStop": {"httpGet": {"port": 1, "path": "/"}}}
    ),
    Mistake("probes.safe", GATEWAY, f"{FIRST} livenessProbe httpGet path", "/readyz"),
    Mistake("probes.safe", GATEWAY, f"{FIRST} livenessProbe successThreshold", 2),
    Mistake("probes.safe", GATEWAY, f"{FIRST} startupProbe successThreshold", 2),
    Mistake("probes.safe", GATEWAY, f"{FIRST} livenessProbe failureThreshold", 0),
    Mistake("probes.start_fits_deadline", SERVING, f"{FIRST} startupProbe failureThreshold", 9000),
    Mistake("probes.start_fits_deadline", GATEWAY, "spec progressDeadlineSeconds", 5),
    Mistake("probes.grace", SERVING, f"{FIRST} lifecycle preStop sleep seconds", 900),
]
