"""TLS and mutual TLS to the servers, from PEM files that may be replaced while the gateway runs."""

import ssl
from pathlib import Path

import grpc

from pictor_gateway.settings import InvalidSettings, Settings, flag_of


def credentials_from(settings: Settings) -> grpc.ChannelCredentials | None:
    """Read the files and return what they hold; None if TLS is not wanted.

    Raises:
        InvalidSettings: a file cannot be read or does not hold what it should.
    """
    if not settings.tfs_tls:
        return None
    authorities = _read("tfs_ca_file", settings.tfs_ca_file)
    key = _read("tfs_key_file", settings.tfs_key_file)
    certificate = _read("tfs_cert_file", settings.tfs_cert_file)
    _check(settings)
    return grpc.ssl_channel_credentials(authorities, key, certificate)


def _read(field: str, path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidSettings(f"{flag_of(field)}: {path} cannot be read: {error.strerror}.") from error


def _check(settings: Settings) -> None:
    """Let the standard library judge the files: gRPC would say nothing before the first connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authorities, certificate, key = settings.tfs_ca_file, settings.tfs_cert_file, settings.tfs_key_file
    if authorities is not None:
        try:
            context.load_verify_locations(authorities)
        except ssl.SSLError as error:
            raise InvalidSettings(
                f"--tfs-ca-file: {authorities} holds no certificate in PEM form ({error.reason})."
            ) from error
    if certificate is not None and key is not None:
        try:
            context.load_cert_chain(certificate, key, password=_refuse_password)
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise InvalidSettings(
                f"--tfs-cert-file and --tfs-key-file: {certificate} and {key} are no certificate and its "
                f"private key in PEM form, without a password ({reason})."
            ) from error


def _refuse_password() -> str:
    """Without this, OpenSSL would ask the terminal for the password and wait."""
    raise ValueError("the key has a password")
