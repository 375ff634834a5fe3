"""The folder of one published version: its files, and proof that they are the ones that were written.

::

    models/<name>/<integer version>/
        saved_model.pb, variables/              for TensorFlow Serving
        assets.extra/contract.json              the contract
        assets.extra/model.onnx                 for the embedded backend
        assets.extra/tf_serving_warmup_requests one record per allowed batch size
        assets.extra/MANIFEST.sha256            every other file's digest, as `sha256sum` writes it
"""

from hashlib import file_digest
from pathlib import Path

from pictor_contract.contract import ImageContract
from pictor_contract.errors import ArtifactError

EXTRA = "assets.extra"
CONTRACT_FILE = f"{EXTRA}/contract.json"
ONNX_FILE = f"{EXTRA}/model.onnx"
WARMUP_FILE = f"{EXTRA}/tf_serving_warmup_requests"
MANIFEST_FILE = f"{EXTRA}/MANIFEST.sha256"

ONNX_DIGEST_KEY = "pictor.contract_sha256"
"""The ONNX file's metadata key with the contract's digest: so the two prove that they belong together."""

_DIGEST_LETTERS = 64


def list_versions(model_folder: Path) -> list[int]:
    """List the published versions, rising. Other names (staging, locks) are not versions; "007" is not 7."""
    if not model_folder.is_dir():
        return []
    names = (entry.name for entry in model_folder.iterdir() if entry.is_dir())
    return sorted(int(name) for name in names if name.isascii() and name.isdigit() and str(int(name)) == name)


def list_models(store: Path) -> list[str]:
    """Name the models in `store` that have at least one version, sorted."""
    if not store.is_dir():
        return []
    return sorted(entry.name for entry in store.iterdir() if entry.is_dir() and _has_versions(entry))


def _has_versions(folder: Path) -> bool:
    try:
        return bool(list_versions(folder))
    except PermissionError:  # lost+found, on every fresh volume: it must not hide the models beside it
        return False


def write_manifest(folder: Path) -> None:
    """Write the digest of every file below `folder` to its manifest."""
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in _files(folder)]
    (folder / MANIFEST_FILE).write_text("".join(lines), encoding="utf-8")


def verify_manifest(folder: Path) -> None:
    """Compare every file below `folder` with the manifest.

    Raises:
        ArtifactError: no manifest, an unreadable line, a file missing, extra or changed.
    """
    recorded = _read_manifest(folder)
    present = set(_files(folder))
    if missing := sorted(set(recorded) - present):
        raise ArtifactError(f"{folder}: the manifest names files that are not there: {', '.join(missing)}.")
    if extra := sorted(present - set(recorded)):
        raise ArtifactError(f"{folder}: files that the manifest does not name: {', '.join(extra)}.")
    for name, digest in recorded.items():
        if _sha256(folder / name) != digest:
            raise ArtifactError(f"{folder}: {name} is not the file that was published (its sha256 differs).")


def read_contract(folder: Path) -> ImageContract:
    """Read the contract of the version in `folder`.

    Raises:
        ArtifactError: there is no contract file, or it cannot be read.
        InvalidContract: its content is refused.
    """
    try:
        text = (folder / CONTRACT_FILE).read_bytes()
    except OSError as error:
        raise ArtifactError(f"{folder}: {CONTRACT_FILE} cannot be read ({error.strerror}).") from error
    return ImageContract.from_json(text)


def _read_manifest(folder: Path) -> dict[str, str]:
    try:
        text = (folder / MANIFEST_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(
            f"{folder}: {MANIFEST_FILE} cannot be read as text ({type(error).__name__})."
        ) from error
    recorded: dict[str, str] = {}
    for line in text.splitlines():
        digest, separator, name = line.partition("  ")
        if not separator or len(digest) != _DIGEST_LETTERS:
            raise ArtifactError(f"{folder}: {MANIFEST_FILE} has a line that is no digest and name: {line!r}.")
        recorded[name] = digest
    return recorded


def _files(folder: Path) -> list[str]:
    try:
        every = [path for path in folder.rglob("*") if path.is_file()]
    except OSError as error:  # the folder is being withdrawn
        raise ArtifactError(f"{folder} cannot be listed ({error.strerror}).") from error
    names = (path.relative_to(folder).as_posix() for path in every)
    return sorted(name for name in names if name != MANIFEST_FILE)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}).") from error
