"""Two keys, how they are shown, and how a file of them is exchanged."""

from pathlib import Path

from pictor_gateway.entrance.api_keys import KEY_PREFIX

KEY, OTHER = KEY_PREFIX + "k" * 43, KEY_PREFIX + "o" * 43


def bearer(key: str) -> dict[str, str]:
    """Return the header that shows `key`."""
    return {"Authorization": f"Bearer {key}"}


def replace(file: Path, text: str) -> None:
    """Put a new file in the place of `file` by one rename."""
    staged = file.with_suffix(".new")
    staged.write_text(text, encoding="utf-8")
    staged.rename(file)
