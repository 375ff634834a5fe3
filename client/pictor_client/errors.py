"""What a call of the gateway can end with.

::

    ClientError
    ├── GatewayUnreachable   no answer: refused, timed out, not HTTP
    └── Refused              an answer that says no; `status` and `code` are the gateway's
"""


class ClientError(Exception):
    """Root of all that this package raises on purpose."""


class GatewayUnreachable(ClientError):
    """The gateway gave no answer that could be read."""


class Refused(ClientError):
    """The gateway answered with a problem (RFC 9457)."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{detail} (HTTP {status}, {code})")
        self.status = status
        self.code = code
