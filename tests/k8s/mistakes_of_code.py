"""More mistakes: what our own programs are told and do not understand."""

from typing import Final

from k8s.mutations import FIRST, GATEWAY, JOB, POD, RETRAIN, SERVING, Mistake

_SETTINGS: Final = "ConfigMap/pictor-gateway"
_JOB_FILE: Final = "ConfigMap/pictor-retrain"
_NIGHT: Final = f"{JOB} template spec containers 0"
_FAILURES: Final = f"{JOB} podFailurePolicy rules 1 onExitCodes values"

CODE: Final = [
    Mistake("code.images", GATEWAY, f"{FIRST} image", "pictor-gateway:9.9.9"),
    Mistake("code.images", GATEWAY, f"{FIRST} image", "gateway:0.1.0"),
    Mistake("code.commands_understood", GATEWAY, f"{FIRST} args", ["server"]),
    Mistake("code.commands_understood", GATEWAY, f"{FIRST} args", ["serve", "--prot=8080"]),
    Mistake("code.commands_understood", RETRAIN, f"{_NIGHT} args", ["retrain"]),
    Mistake(
        "code.commands_understood", RETRAIN, f"{_NIGHT} args", ["retrain", "--conf=/config/retrain.yaml"]
    ),
    Mistake("code.commands_understood", SERVING, f"{POD} initContainers 0 args", ["models", "confg"]),
    Mistake("code.settings", _SETTINGS, "data PICTOR_PROT", "8080"),
    Mistake("code.settings", _SETTINGS, "data PICTOR_PORT", "eighty"),
    Mistake("code.settings", _SETTINGS, "data PICTOR_PORT", "80"),
    Mistake("code.settings", _SETTINGS, "data PICTOR_METRICS_PORT"),
    Mistake("code.settings", _SETTINGS, "data PICTOR_HOST"),
    Mistake("code.settings", _SETTINGS, "data PICTOR_DRAIN_S", "75"),
    Mistake("code.settings", GATEWAY, f"{FIRST} ports 0 containerPort", 8000),
    Mistake("code.settings", GATEWAY, f"{POD} terminationGracePeriodSeconds", 30),
    Mistake("code.paths", _SETTINGS, "data PICTOR_API_KEYS_FILE", "/etc/pictor/keys"),
    Mistake("code.paths", RETRAIN, f"{_NIGHT} args", ["retrain", "--config=/settings/retrain.yaml"]),
    Mistake("code.probe_paths", GATEWAY, f"{FIRST} readinessProbe httpGet path", "/ready"),
    Mistake("code.probe_paths", GATEWAY, "spec template metadata annotations prometheus.io/port", "8080"),
    Mistake(
        "code.probe_paths", GATEWAY, "spec template metadata annotations prometheus.io/path", "/prometheus"
    ),
    Mistake("code.servers", SERVING, f"{FIRST} args 0", "--port=9000"),
    Mistake("code.servers", SERVING, f"{FIRST} ports 1 containerPort", 9001),
    Mistake("code.addresses", _SETTINGS, "data PICTOR_TFS", "dns:///tf-serving:8500"),
    Mistake("code.addresses", _SETTINGS, "data PICTOR_TFS", "dns:///pictor-tf-serving:9000"),
    Mistake("code.addresses", "Service/pictor-tf-serving"),
    Mistake("code.model_names", _SETTINGS, "data PICTOR_MODEL", "pets"),
    Mistake("code.model_names", SERVING, f"{FIRST} readinessProbe httpGet path", "/v1/models/pets"),
    Mistake("code.model_names", _JOB_FILE, "data retrain.yaml", "name: pets"),
    Mistake("code.exit_codes", RETRAIN, _FAILURES, [2, 3]),
    Mistake("code.exit_codes", RETRAIN, _FAILURES, [1, 2, 3, 4]),
    Mistake("code.exit_codes", RETRAIN, _FAILURES, [2, 3, 4, 130]),
]
