"""Every setting, once: one name as field, as flag (`--max-body-bytes`) and as `PICTOR_MAX_BODY_BYTES`."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pictor_contract.limits import MOST_PIXELS, DecodeLimits

ENV_PREFIX = "PICTOR_"

_LIMITS = DecodeLimits()


class InvalidSettings(Exception):
    """The settings cannot be used; one line per fault."""


class Settings(BaseSettings):
    """Read once at start, then passed on; nothing else in the gateway looks at the environment."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid", allow_inf_nan=False)

    models: Path = Field(
        Path("models"),
        description="Folder of <name>/<version>/ that is served and watched; it may appear later.",
    )
    default_model: str | None = Field(
        None, description="Model of a request that names none (422 if several); readiness then requires it."
    )
    keep_versions: PositiveInt = Field(
        1,
        description="Versions of each model kept loaded, newest first; others answer 404. Each takes memory.",
    )
    poll_interval_s: PositiveFloat = Field(1.0, description="Seconds between two looks at the models folder.")
    host: str = Field(
        "127.0.0.1", description="Address to listen on; 0.0.0.0 or :: for all, as in a container."
    )
    port: int = Field(8080, ge=0, le=65535, description="TCP port; 0 lets the system choose.")
    keep_alive_s: PositiveInt = Field(
        75, description="Seconds an idle connection stays open: longer than the load balancer's (often 60)."
    )
    receive_timeout_s: PositiveFloat = Field(
        30.0,
        description="Seconds for a request's headers (then the connection is closed) and for its body (408).",
    )
    request_timeout_s: PositiveFloat = Field(
        10.0, description="Seconds from the body's last byte to the answer (504)."
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
        description="Requests at work at once, bodies in memory; one more is refused (503).",
    )
    decode_threads: PositiveInt | None = Field(
        None, description="Threads that decode pictures; by default one per usable core."
    )
    inference_threads: PositiveInt | None = Field(
        None, description="Threads that run the model, one core each; by default one per usable core."
    )
    top_k: PositiveInt = Field(
        5, description="Predictions in an answer, unless the request asks for another number."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line written; info has one line per request."
    )

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


def flag_of(field_name: str) -> str:
    """Return the command-line flag of a field: kebab-case."""
    return "--" + field_name.replace("_", "-")


def _fault_text(fault: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    name = str(fault["loc"][0])
    variable = ENV_PREFIX + name.upper()
    hint = _kubernetes_hint(environment.get(variable, ""))
    return f"{flag_of(name)} or {variable}: {fault['msg']}; received {fault['input']!r}.{hint}"


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
