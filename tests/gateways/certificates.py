"""A private certificate authority, as companies have."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """Signs certificates for names and addresses; `path` is its own certificate."""

    def __init__(self, folder: Path, name: str = "Company CA") -> None:
        self._authority = trustme.CA(organization_name=name)
        self.path = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(str(self.path))

    def context(self, host: str) -> ssl.SSLContext:
        """The TLS context of a server, with a certificate for a name or an address."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(host).configure_cert(context)
        return context
