"""Certificates for tests of TLS."""

from pathlib import Path

import trustme

from tfs.stand_in import TlsFiles


def make_tls_files(folder: Path) -> TlsFiles:
    """Write an authority's certificate, a server's for 127.0.0.1 and localhost, and a client's."""
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1", "127.0.0.2", "localhost")
    client = authority.issue_cert("gateway.example")
    files = TlsFiles(*(folder / f"{name}.pem" for name in ("ca", "cert", "key", "client_cert", "client_key")))
    authority.cert_pem.write_to_path(files.ca)
    server.private_key_pem.write_to_path(files.key)
    client.private_key_pem.write_to_path(files.client_key)
    for leaf, file in ((server, files.cert), (client, files.client_cert)):
        for part in leaf.cert_chain_pems:
            part.write_to_path(file, append=True)
    return files
