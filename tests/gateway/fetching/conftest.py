"""A web server with a certificate of its own authority."""

from collections.abc import Callable
from typing import Any

import pytest
import trustme

from gateway.web import HOST, Talk, serving


@pytest.fixture(scope="session", name="authority")
def _authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(name="serve_site")
def _serve_site(authority: trustme.CA) -> Callable[..., Any]:
    """Start an https server: `with serve_site(talk) as site`."""

    def serve(talk: Talk, name: str = HOST) -> Any:
        return serving(talk, authority, name)

    return serve
