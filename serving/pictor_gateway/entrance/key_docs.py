"""API keys in `/openapi.json`, so that `/docs` lets its reader enter one."""

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def describe_keys(app: FastAPI, paths: Collection[str]) -> None:
    """Say of each address in `paths` that it needs a key, in one of two headers.

    FastAPI's own way is a dependency for each header, which every request would pay for.
    """
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        described = describe()  # made once and kept, so what is added here is there already the next time
        described.setdefault("components", {})["securitySchemes"] = _SCHEMES
        for path, operations in described["paths"].items():
            if path in paths:
                for operation in operations.values():
                    operation["security"] = [{name: []} for name in _SCHEMES]
        return described

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to change the schema
