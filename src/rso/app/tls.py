"""The certificate that is served: exchanged while connections go on.

Each handshake asks which certificate holds now, so that connections that exist never notice.
"""

import contextlib
import os
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryptography import x509

if TYPE_CHECKING:
    from datetime import datetime


class UnusablePair(Exception):
    """A certificate and a key that cannot be served. Its text says why."""


class Served:
    """A TLS context whose certificate can be exchanged at any time."""

    def __init__(self) -> None:
        self.context = _context()
        self.context.sni_callback = self._choose  # asked in each handshake, named or not
        self._current: ssl.SSLContext | None = None
        self._expires_at: datetime | None = None

    def expiry(self) -> float:
        """Return when the certificate expires, in seconds since 1970; 0 while there is none."""
        return self._expires_at.timestamp() if self._expires_at else 0.0

    def missing(self) -> str | None:
        """Return what is missing before a handshake can succeed; None for nothing."""
        return None if self._current else "there is no certificate yet"

    def use(self, certificate: bytes, key: bytes) -> None:
        """Serve this pair, as PEM, from the next handshake on.

        Raises: UnusablePair; what is served stays.
        """
        fresh = _context()
        with _in_memory(certificate) as first, _in_memory(key) as second:
            try:
                fresh.load_cert_chain(first, second)
                expires_at = x509.load_pem_x509_certificate(certificate).not_valid_after_utc
            except (ssl.SSLError, ValueError, OSError) as fault:
                raise UnusablePair(f"certificate and key cannot be used: {fault}") from None
        self._current, self._expires_at = fresh, expires_at

    def _choose(self, connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        if self._current is not None:
            connection.context = self._current


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Yield the path of a file that is on no disk: the ssl module reads keys from files only."""
    number = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.write(number, content)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
