"""More mistakes: in what workloads take, in jobs, and in names."""

from typing import Final

from k8s.mutations import COMPONENT, FIRST, GATEWAY, GONE, JOB, POD, RETRAIN, SERVING, Mistake, thing

_MEMORY: Final = "resources limits memory"
_NIGHT: Final = f"{JOB} template spec"

WORKLOADS: Final = [
    *(
        Mistake("workloads.resources", where, f"{container} {path}", value)
        for where, container in ((GATEWAY, FIRST), (RETRAIN, f"{_NIGHT} containers 0"))
        for path, value in (
            ("resources", GONE),
            ("resources requests cpu", GONE),
            ("resources requests memory", GONE),
            ("resources requests ephemeral-storage", "500Gi"),
            ("resources limits ephemeral-storage", GONE),
            ("resources limits cpu", "2"),
            (_MEMORY, GONE),
            (_MEMORY, "900Gi"),
        )
    ),
    Mistake("workloads.gpus", SERVING, f"{FIRST} resources requests nvidia.com/gpu", "1"),
    Mistake("workloads.gpus", SERVING, f"{FIRST} resources limits nvidia.com/gpu", "0.5"),
    Mistake("workloads.gpus", SERVING, f"{POD} tolerations"),
    Mistake("workloads.gpus", SERVING, "spec strategy rollingUpdate maxSurge", 1),
    *(
        Mistake("workloads.images", GATEWAY, f"{FIRST} image", image)
        for image in (
            "pictor-gateway",
            "pictor-gateway:latest",
            "pictor-gateway:main",
            "r:5000/pictor-gateway",
        )
    ),
    Mistake("workloads.images", SERVING, f"{POD} initContainers 0 image", "pictor-gateway"),
    Mistake(
        "workloads.rollouts", GATEWAY, "spec strategy rollingUpdate", {"maxSurge": 0, "maxUnavailable": 0}
    ),
    Mistake("workloads.rollouts", GATEWAY, "spec strategy", {"type": "Recreate"}),
    Mistake("workloads.rollouts", GATEWAY, "spec strategy"),
    Mistake("workloads.spreading", GATEWAY, f"{POD} topologySpreadConstraints"),
    Mistake("workloads.spreading", GATEWAY, f"{POD} topologySpreadConstraints 0 maxSkew", 0),
    Mistake("workloads.spreading", GATEWAY, f"{POD} topologySpreadConstraints 0 labelSelector"),
    Mistake(
        "workloads.spreading",
        GATEWAY,
        f"{POD} topologySpreadConstraints 0 labelSelector matchLabels {COMPONENT}",
        "tf-serving",
    ),
    Mistake(
        "workloads.spreading",
        GATEWAY,
        f"{POD} topologySpreadConstraints 0 whenUnsatisfiable",
        "DoNotSchedule",
    ),
]

JOBS: Final = [
    *(
        Mistake("jobs.schedules", RETRAIN, f"spec {path}", value)
        for path, value in (
            ("schedule", "30 24 * * *"),
            ("schedule", "60 2 * * *"),
            ("schedule", "30 2 * *"),
            ("schedule", "0 2 1-40 * *"),
            ("schedule", "*/0 2 * * *"),
            ("schedule", "0 2 * * sometimes"),
            ("timeZone", "Europe/Zurick"),
            ("timeZone", GONE),
            ("concurrencyPolicy", GONE),
            ("concurrencyPolicy", "Replace"),
            ("startingDeadlineSeconds", GONE),
            ("startingDeadlineSeconds", 5),
            ("failedJobsHistoryLimit", GONE),
        )
    ),
    *(
        Mistake("jobs.endings", RETRAIN, f"{JOB} {path}", value)
        for path, value in (
            ("backoffLimit", GONE),
            ("activeDeadlineSeconds", GONE),
            ("ttlSecondsAfterFinished", GONE),
            ("template spec restartPolicy", "Always"),
            ("completionMode", "Indexed"),
        )
    ),
    *(
        Mistake("jobs.failure_policies", RETRAIN, f"{JOB} {path}", value)
        for path, value in (
            ("podFailurePolicy rules 1 onExitCodes containerName", "train"),
            ("podFailurePolicy rules 1 onExitCodes values", [0, 2]),
            ("podFailurePolicy rules 0", GONE),
            ("podReplacementPolicy", "TerminatingOrFailed"),
            ("template spec restartPolicy", "OnFailure"),
        )
    ),
]

NAMES: Final = [
    Mistake("naming.unique", "", value=thing("Service", "pictor-gateway", spec={})),
    Mistake("naming.unique", SERVING, f"{POD} initContainers 0 name", "tf-serving"),
    Mistake("naming.unique", SERVING, f"{FIRST} ports 0 name", "http-rest"),
    Mistake(
        "naming.unique", GATEWAY, f"{FIRST} env", [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    ),
    Mistake("naming.valid", "Service/pictor-gateway", "metadata name", "pictor_gateway"),
    Mistake("naming.valid", RETRAIN, "metadata name", "p" * 53),
    Mistake("naming.valid", GATEWAY, "metadata labels app.kubernetes.io/version", "1 2"),
    Mistake("naming.valid", GATEWAY, "metadata labels app.kubernetes.io/version", 1.2),
    Mistake("naming.valid", GATEWAY, f"{FIRST} ports 0 name", "http-of-the-gateway"),
    Mistake("naming.valid", GATEWAY, f"{FIRST} ports 0 name"),
    Mistake("naming.namespaced", GATEWAY, "metadata namespace"),
    Mistake("naming.namespaced", GATEWAY, "metadata namespace", "default"),
    Mistake("naming.namespaced", "Namespace/pictor", "metadata namespace", "pictor"),
    Mistake("naming.labelled", GATEWAY, "metadata labels app.kubernetes.io/part-of"),
    Mistake("naming.labelled", RETRAIN, f"{JOB} template metadata labels {COMPONENT}"),
    Mistake("naming.selectors", GATEWAY, f"spec selector matchLabels {COMPONENT}", "gateway2"),
    Mistake("naming.selectors", GATEWAY, f"spec selector matchLabels {COMPONENT}"),
    Mistake("naming.selectors", GATEWAY, "spec selector matchLabels app.kubernetes.io/version", "1"),
    Mistake("naming.selectors", GATEWAY, f"spec template metadata labels {COMPONENT}", "tf-serving"),
    Mistake("naming.components_apart", SERVING, f"spec template metadata labels {COMPONENT}", "gateway"),
    Mistake("naming.stable_versions", RETRAIN, "apiVersion", "batch/v1beta1"),
    Mistake(
        "naming.stable_versions",
        "HorizontalPodAutoscaler/pictor-gateway",
        "apiVersion",
        "autoscaling/v2beta2",
    ),
]
