"""Which version a request means."""

from dataclasses import dataclass

from pictor_gateway.backends.protocol import Backend, ModelStatus, ServedVersion
from pictor_gateway.errors import (
    InvalidParameter,
    LabelNotFound,
    ModelNotFound,
    ModelNotReady,
    ModelRequired,
    VersionNotFound,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The version a request means: of the default model if it names none, `version` or `label` or neither."""

    model: str | None = None
    version: int | None = None
    label: str | None = None


class Catalogue:
    """The backend's models, and the one that is meant when a request names none."""

    def __init__(self, backend: Backend, default_model: str | None) -> None:
        self._backend = backend
        self._default_model = default_model

    @property
    def default_model(self) -> str | None:
        """The configured model, or the only one there is, or none."""
        if self._default_model is not None:
            return self._default_model
        models = self._backend.models()
        return models[0].name if len(models) == 1 else None

    @property
    def only(self) -> ServedVersion | None:
        """The one version that answers, if there is just one: then every request means it."""
        models = self._backend.models()
        available = models[0].available if len(models) == 1 else ()
        return available[0] if len(available) == 1 else None

    def find(self, wanted: Wanted) -> ServedVersion:
        """Return the version that is meant; without a number or a label the one the backend prefers.

        Raises:
            InvalidParameter: both a number and a label.
            ModelRequired: no name, and not just one model.
            ModelNotFound: no model of that name.
            ModelNotReady: no version of the model can answer, or not the preferred one, which is meant.
            VersionNotFound: that version is not loaded.
            LabelNotFound: no version has that label.
        """
        model = self._model(wanted.model or self.default_model)
        if not model.available:
            raise ModelNotReady(f"No version of the model {model.name!r} can answer now; /readyz says why.")
        version = self._version(model, wanted)
        if version is None:
            return model.available[0]
        for served in model.available:
            if served.version == version:
                return served
        raise _missing(model, version)

    def unready(self) -> list[str]:
        """Reasons why no traffic should come; empty when it may.

        The default model must be available if one is configured, otherwise any: one broken model must not
        take the others out of service.
        """
        models = self._backend.models()
        required = [model for model in models if self._default_model in (None, model.name)]
        if any(_answers(model) for model in required):
            return []
        if not self._backend.started.is_set():
            return ["The models are still being looked for."]
        if not models:
            return [f"No model in {self._backend.source}: expected <name>/<version>/ there."]
        if not required:
            names = ", ".join(model.name for model in models)
            source = self._backend.source
            return [f"The default model {self._default_model!r} is not among those of {source}: {names}."]
        return [reason for model in required for reason in _reasons(model)]

    def ailing(self) -> list[str]:
        """Return what is wrong with versions, one line each: refused, not loaded, not right everywhere.

        And what stands in the way of finding them, or their labels.
        """
        models = self._backend.models()
        return [line for model in models for line in (*_ailing_versions(model), *model.troubles)]

    async def find_asking(self, wanted: Wanted) -> ServedVersion:
        """Do the same, and ask the backend first about a label that nobody named before."""
        if wanted.label is not None:
            model = self._model(wanted.model or self.default_model)
            if wanted.label not in model.labels:
                await self._backend.learn_label(model.name, wanted.label)
        return self.find(wanted)

    def _version(self, model: ModelStatus, wanted: Wanted) -> int | None:
        """Return the number that is meant; None for the newest that answers."""
        if wanted.version is not None and wanted.label is not None:
            raise InvalidParameter("version and label each name a version; send one of them.")
        if wanted.label is not None:
            return self._labelled(model, wanted.label)
        if wanted.version is None and not _answers(model):
            raise ModelNotReady(f"Version {model.preferred} of the model {model.name!r} cannot answer now.")
        return model.preferred if wanted.version is None else wanted.version

    def _labelled(self, model: ModelStatus, label: str) -> int:
        if label not in model.labels:
            known = ", ".join(model.labels) or "none"
            raise LabelNotFound(
                f"No version of the model {model.name!r} has the label {label[:100]!r}. Labels: {known}."
            )
        return model.labels[label]

    def _model(self, name: str | None) -> ModelStatus:
        models = self._backend.models()
        for model in models:
            if model.name == name:
                return model
        if name is None and not models:
            raise ModelNotReady("No model is loaded yet.")
        known = ", ".join(model.name for model in models) or "none"
        if name is None:
            raise ModelRequired(f"Say which model is meant with ?model=NAME. Served here: {known}.")
        raise ModelNotFound(f"There is no model {name[:100]!r}. Served here: {known}.")


def _answers(model: ModelStatus) -> bool:
    """Whether a request that names no version has an answer."""
    available = {served.version for served in model.available}
    return bool(available) and model.preferred in (None, *available)


def _reasons(model: ModelStatus) -> list[str]:
    """Say why no version of `model` answers."""
    loading = [
        f"{model.name}/{one.version} is being loaded." for one in model.versions if one.state == "loading"
    ]
    found = [*model.troubles, *_ailing_versions(model), *loading]
    return found or [f"No version of the model {model.name!r} is loaded."]


def _ailing_versions(model: ModelStatus) -> list[str]:
    states = {
        "available": "is not answered by every server",
        "refused": "is refused",
        "ended": "is not loaded",
    }
    return [
        f"{model.name}/{one.version} {states.get(one.state, one.state)}. {one.reason}"
        for one in model.versions
        if one.reason
    ]


def _missing(model: ModelStatus, version: int) -> ModelNotReady | VersionNotFound:
    """Return what to say of a version that does not answer: whether it may soon."""
    if any(one.version == version and one.state == "loading" for one in model.versions):
        return ModelNotReady(f"Version {version} of the model {model.name!r} cannot answer now.")
    loaded = ", ".join(str(served.version) for served in model.available)
    return VersionNotFound(f"Version {version} of the model {model.name!r} is not loaded. Loaded: {loaded}.")
