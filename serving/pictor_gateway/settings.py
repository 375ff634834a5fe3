"""Every setting, once: one name as field, as flag (`--max-body-bytes`) and as `PICTOR_MAX_BODY_BYTES`."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from pictor_contract.contract import MODEL_NAME_RULE, is_model_name
from pictor_contract.limits import MOST_PIXELS, DecodeLimits
from pictor_gateway.fetching.allowed_urls import AllowedHosts
from pictor_gateway.learning_settings import LearningSettings
from pictor_store.lineage import CANARY, STABLE
from pictor_tfs.targets import parse_targets

ENV_PREFIX = "PICTOR_"

_LIMITS = DecodeLimits()


class InvalidSettings(Exception):
    """The settings cannot be used; one line per fault."""


class Settings(LearningSettings):
    """Read once at start, then passed on; nothing else in the gateway looks at the environment."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid", allow_inf_nan=False)

    tfs: str | None = Field(
        None,
        description="TensorFlow Serving's gRPC addresses, comma-separated: dns:///host:8500 stands for every "
        "address of the name; host:8500, ipv4:1.2.3.4:8500 and unix:/path as well. Needs --model.",
    )
    models: Path | None = Field(
        None,
        description="Folder of <name>/<version>/ that is served and watched, models unless --tfs is given; "
        "beside --tfs it is the fallback.",
    )
    model: str | None = Field(
        None, description="Models to serve, comma-separated; by default all of the folder."
    )
    default_model: str | None = Field(
        None, description="Model of a request that names none (422 if several); readiness then requires it."
    )
    keep_versions: PositiveInt = Field(
        1,
        description="Versions of each model kept loaded, newest first; others answer 404. Each takes memory.",
    )
    poll_interval_s: PositiveFloat = Field(
        1.0, description="Seconds between two looks at the models folder, or at each server's versions."
    )
    version_labels: str = Field(
        "stable,canary",
        description="Version labels asked of TensorFlow Serving at each look, comma-separated; "
        "others are asked for when a request names them.",
    )
    fallback: bool = Field(
        True,
        description="Whether the models folder answers when no server can, if --tfs and --models are given.",
    )
    tfs_calls_per_server: PositiveInt = Field(
        2, description="Calls under way on one server; what comes meanwhile makes a batch."
    )
    tfs_probe_timeout_s: PositiveFloat = Field(
        3.0, description="Seconds without any answer after which a server counts as gone."
    )
    tfs_resolve_interval_s: PositiveFloat = Field(
        5.0, description="Seconds between two questions to DNS for the servers' addresses."
    )
    tfs_retry_ratio: float = Field(
        0.2, ge=0, le=1, description="Retries on another server, as a share of the calls; 0 for none."
    )
    tfs_tls: bool = Field(False, description="Whether TensorFlow Serving is spoken to over TLS.")
    tfs_ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that vouch for the servers; by default public ones.",
    )
    tfs_cert_file: Path | None = Field(
        None, description="PEM file of the certificate the gateway shows to the servers (mutual TLS)."
    )
    tfs_key_file: Path | None = Field(None, description="PEM file of that certificate's private key.")
    tfs_server_name: str | None = Field(
        None, description="Name that the servers' certificates carry, if not the host's."
    )
    tfs_metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="The servers' REST port (8501): their metrics then appear in ours, with legal names.",
    )
    host: str = Field(
        "127.0.0.1", description="Address to listen on; 0.0.0.0 or :: for all, as in a container."
    )
    port: int = Field(8080, ge=0, le=65535, description="TCP port; 0 lets the system choose.")
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="TCP port for probes and metrics alone, which then leave the main one.",
    )
    workers: PositiveInt = Field(
        1, description="Processes that share the port; limits and rates hold for each of them."
    )
    keep_alive_s: PositiveInt = Field(
        75, description="Seconds an idle connection stays open: longer than the load balancer's (often 60)."
    )
    receive_timeout_s: PositiveFloat = Field(
        30.0,
        description="Seconds for a request's headers (then the connection is closed) and for its body (408).",
    )
    request_timeout_s: PositiveFloat = Field(
        10.0,
        description="Seconds from the body's last byte to the answer (504), if the request says nothing.",
    )
    max_request_timeout_s: PositiveFloat = Field(
        60.0, description="Longest time a request may ask for; more is cut to it."
    )
    drain_s: NonNegativeFloat = Field(
        5.0,
        description="Seconds of serving on, not ready, after SIGTERM: balancers notice; Ctrl-C skips it.",
    )
    max_body_bytes: PositiveInt = Field(_LIMITS.max_bytes, description="Bytes in a request's body (413).")
    max_pixels: PositiveInt = Field(
        _LIMITS.max_pixels, le=MOST_PIXELS, description="Pixels in a picture, by its header (413)."
    )
    max_frames: PositiveInt = Field(
        _LIMITS.max_frames, description="Frames in an animated or multi-page picture (413)."
    )
    max_scans: PositiveInt = Field(
        _LIMITS.max_scans, description="Passes of a progressive JPEG; honest ones have 10 (413)."
    )
    max_pictures_per_request: PositiveInt = Field(16, description="Pictures in one request (413).")
    max_concurrent_requests: PositiveInt = Field(
        128,
        description="Requests at work at once, a quarter of the bodies that may be coming in; "
        "one more is refused (503).",
    )
    max_queued_pictures: PositiveInt = Field(
        512,
        description="Decoded pictures waiting for the model; one more is refused (503).",
    )
    max_batch_size: PositiveInt | None = Field(
        None, description="Most pictures in one call of the model; by default the contract's largest batch."
    )
    decode_threads: PositiveInt | None = Field(
        None, description="Threads that decode pictures, in each worker; by default one per core, shared."
    )
    inference_threads: PositiveInt | None = Field(
        None, description="Threads that run the model, in each worker; by default one per core, shared."
    )
    top_k: PositiveInt = Field(
        5, description="Predictions in an answer, unless the request asks for another number."
    )
    api_keys_file: Path | None = Field(
        None,
        description="File of API keys, one name:sha256 a line (`pictor api-key` writes them), read anew "
        "when it changes; a request without a known key is refused (401).",
    )
    api_keys: SecretStr | None = Field(
        None,
        description="The same lines as text, separated by commas or line ends.",
    )
    rate_limit: PositiveFloat | None = Field(
        None, description="Requests a second for each API key, unless its line says otherwise (429)."
    )
    rate_limit_burst: PositiveInt = Field(
        10, description="Requests that a key may send at once after a pause."
    )
    url_hosts: str | None = Field(
        None,
        description="Hosts from which pictures are fetched by https, comma-separated; by default none (422).",
    )
    url_timeout_s: PositiveFloat = Field(5.0, description="Seconds to fetch one picture by URL (502).")
    tracing: bool = Field(
        False,
        description="Whether OpenTelemetry traces are sent, as OTEL_* variables say; needs pictor[tracing].",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line written; info has one line per request."
    )

    @property
    def store(self) -> Path | None:
        """The folder the embedded backend serves, if it has any work to do."""
        return Path("models") if self.models is None and self.tfs is None else self.models

    @property
    def model_names(self) -> tuple[str, ...]:
        """The models to serve; empty for all there are."""
        return listed(self.model)

    @field_validator("model", "default_model")
    @classmethod
    def _model_names(cls, text: str | None) -> str | None:
        for name in listed(text):
            if not is_model_name(name):
                raise ValueError(f"{name!r} cannot be a model's name: {MODEL_NAME_RULE}")
        return text

    @field_validator("tfs")
    @classmethod
    def _name_servers(cls, text: str | None) -> str | None:
        if text is not None:
            parse_targets(text)
        return text

    @field_validator("url_hosts")
    @classmethod
    def _host_names(cls, text: str | None) -> str | None:
        AllowedHosts.listed(listed(text))
        return text

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.tfs is not None and not self.model_names:
            raise ValueError("--tfs needs --model NAME: TensorFlow Serving does not list what it serves")
        if (self.tfs_cert_file is None) != (self.tfs_key_file is None):
            raise ValueError("--tfs-cert-file and --tfs-key-file go together")
        needed = {STABLE, CANARY}.difference(listed(self.version_labels))
        if self.tfs is not None and (self.canary_share or self.shadow_share) and needed:
            raise ValueError(f"--canary-share and --shadow-share need --version-labels with {min(needed)}")
        secrets = (self.tfs_ca_file, self.tfs_cert_file, self.tfs_server_name)
        if not self.tfs_tls and any(value is not None for value in secrets):
            raise ValueError("--tfs-ca-file, --tfs-cert-file and --tfs-server-name need --tfs-tls=true")
        return self

    @classmethod
    def load(cls, flags: Mapping[str, Any], environment: Mapping[str, str]) -> Self:
        """Read flags, then the environment, then defaults.

        Raises:
            InvalidSettings: a value cannot be used, or a variable with our prefix is no setting.
        """
        known = {ENV_PREFIX + name.upper() for name in cls.model_fields}
        unknown = sorted(
            name for name in environment if name.upper().startswith(ENV_PREFIX) and name.upper() not in known
        )
        faults = [_unknown_text(name, environment[name]) for name in unknown]
        try:
            settings = cls(**flags)
        except ValidationError as error:
            faults += [_fault_text(dict(fault), environment) for fault in error.errors()]
            raise InvalidSettings("\n".join(faults)) from error
        if faults:
            raise InvalidSettings("\n".join(faults))
        return settings


def listed(text: str | None) -> tuple[str, ...]:
    """Return the items of a comma-separated setting."""
    return tuple(item for item in map(str.strip, (text or "").split(",")) if item)


def flag_of(field_name: str) -> str:
    """Return the command-line flag of a field: kebab-case."""
    return "--" + field_name.replace("_", "-")


def _fault_text(fault: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    if not fault["loc"]:  # of several settings together
        return f"{fault['msg'].removeprefix('Value error, ')}."
    name = str(fault["loc"][0])
    variable = ENV_PREFIX + name.upper()
    hint = _kubernetes_hint(environment.get(variable, ""))
    said = fault["msg"].removeprefix("Value error, ")
    return f"{flag_of(name)} or {variable}: {said}; received {fault['input']!r}.{hint}"


def _unknown_text(name: str, value: str) -> str:
    close = get_close_matches(name[len(ENV_PREFIX) :].lower(), Settings.model_fields, n=1)
    advice = (
        f"Did you mean {ENV_PREFIX}{close[0].upper()}?"
        if close
        else "Unset it; `pictor serve --help` lists the settings."
    )
    return f"{name} is no setting. {_kubernetes_hint(value).strip() or advice}"


def _kubernetes_hint(value: str) -> str:
    """For every Service named pictor*, Kubernetes writes PICTOR_*_PORT=tcp://... into each pod beside it."""
    if not value.startswith("tcp://"):
        return ""
    return " Kubernetes wrote it for a Service: set enableServiceLinks: false in the pod's spec."
