"""Room for the bodies of requests: so many bytes for all that are being read at a time."""

from collections.abc import Iterator
from contextlib import contextmanager


class NoRoom(Exception):
    """All bodies together would be larger than there is room for."""


class Room:
    """So many bytes, shared by all requests that are under way."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """Yield one request's share, which is empty at first and given back at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self._left += share.taken

    def take(self, count: int) -> None:
        """Take so many bytes.

        Raises: NoRoom; then nothing was taken.
        """
        if count > self._left:
            raise NoRoom
        self._left -= count


class Share:
    """What one request has taken of a room."""

    def __init__(self, room: Room) -> None:
        self.taken = 0
        self._room = room

    def take(self, count: int) -> None:
        """Take so many bytes more.

        Raises: NoRoom.
        """
        self._room.take(count)
        self.taken += count
