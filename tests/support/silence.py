"""A port that accepts connections and never says a word, as a stopped process does."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent_port(host: str) -> Iterator[int]:
    """Yield a port: the system accepts connections to it, and nobody reads them."""
    with socket.create_server((host, 0), backlog=512) as server:
        yield server.getsockname()[1]
