"""A file with one key, and a gateway that looks at it often."""

from pathlib import Path

import pytest

from gateway.entrance.keyring import KEY
from pictor_gateway.entrance import access
from pictor_gateway.entrance.api_keys import line_for


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the file more often than once a second."""
    monkeypatch.setattr(access, "_LOOK_EVERY_S", 0.02)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Make a file with one key, `KEY`, of the client "shop"."""
    file = tmp_path / "keys.txt"
    file.write_text(f"# who may ask\n\n{line_for('shop', KEY)}\n", encoding="utf-8")
    return file
