"""A certificate and its key from files that others write, taken again when they change."""

import logging
from pathlib import Path

from rso.app.log import Logger
from rso.app.tls import Served, UnusablePair

_NAMES = ("tls.crt", "tls.key")


class PairFiles:
    """The pair of a mounted Secret; kubelets exchange both files at once, people do not."""

    def __init__(self, directory: Path, served: Served) -> None:
        self._directory = directory
        self._served = served
        self._known: tuple[bytes, ...] = ()
        self._log = Logger(logging.getLogger(__name__))

    def refresh(self) -> None:
        """Serve the pair that lies there now, if it is another one.

        Raises: UnusablePair; what is served stays, and the pair is tried again when it changes.
        """
        try:
            found = tuple((self._directory / name).read_bytes() for name in _NAMES)
        except OSError as fault:
            raise UnusablePair(f"{fault.filename} cannot be read: {fault.strerror}") from None
        if found == self._known:
            return
        self._served.use(*found)
        self._known = found
        self._log.info("certificate is served", expires=int(self._served.expiry()))

    @property
    def bundle(self) -> bytes | None:
        """The authority that lies beside the pair, as PEM; None when there is none."""
        try:
            return (self._directory / "ca.crt").read_bytes()
        except OSError:
            return None
