"""Which version a request means."""

from pictor_gateway.backends.protocol import Backend, ModelStatus, ServedVersion
from pictor_gateway.errors import ModelNotFound, ModelNotReady, ModelRequired, VersionNotFound


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

    def find(self, name: str | None, version: int | None) -> ServedVersion:
        """Return the newest available version of the model, or exactly `version`.

        Raises:
            ModelRequired: no name, and not just one model.
            ModelNotFound: no model of that name.
            ModelNotReady: the model has no version that can answer.
            VersionNotFound: that version is not loaded.
        """
        model = self._model(name or self.default_model)
        if not model.available:
            raise ModelNotReady(f"No version of the model {model.name!r} can answer now; /readyz says why.")
        if version is None:
            return model.available[0]
        for served in model.available:
            if served.version == version:
                return served
        loaded = ", ".join(str(served.version) for served in model.available)
        raise VersionNotFound(
            f"Version {version} of the model {model.name!r} is not loaded. Loaded: {loaded}."
        )

    def unready(self) -> list[str]:
        """Reasons why no traffic should come; empty when it may.

        The default model must be available if one is configured, otherwise any: one broken model must not
        take the others out of service.
        """
        if not self._backend.started.is_set():
            return ["The models are still being loaded."]
        models = self._backend.models()
        required = [model for model in models if self._default_model in (None, model.name)]
        if any(model.available for model in required):
            return []
        if not models:
            return [f"No model in {self._backend.source}: expected <name>/<version>/ there."]
        if not required:
            return [f"The default model {self._default_model!r} is not in {self._backend.source}."]
        return self.ailing()

    def ailing(self) -> list[str]:
        """Return what is wrong with the versions that were refused, one line each."""
        return [
            f"{model.name}/{one.version} is refused. {one.reason}"
            for model in self._backend.models()
            for one in model.versions
            if one.state == "refused"
        ]

    def _model(self, name: str | None) -> ModelStatus:
        models = {model.name: model for model in self._backend.models()}
        if name is None and not models:
            raise ModelNotReady("No model is loaded yet.")
        known = ", ".join(models) or "none"
        if name is None:
            raise ModelRequired(f"Say which model is meant with ?model=NAME. Served here: {known}.")
        if name not in models:
            raise ModelNotFound(f"There is no model {name[:100]!r}. Served here: {known}.")
        return models[name]
