"""Faults that a test asks for, and the record of every call.

A fault is a JSON file in the directory STATE/faults. It is named like the method, such as
``ControllerExpandVolume``, and holds for all volumes; or ``ControllerExpandVolume@VOLUME``, and
holds for the volume of this id, so that tests beside each other do not meet. In it is any of
  code      status to answer with: OUT_OF_RANGE is infeasible, UNAVAILABLE transient, ...
            (absent: the call only waits, then does its work)
  message   the text of the answer
  delay     seconds to wait first: a slow back end
  times     calls it holds for, after which the driver removes the file (absent: until removed)

Each call is one line of STATE/csi-calls.jsonl: time, seconds, method, volume, bytes, code, message.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from pathlib import Path


class Refusal(Exception):
    """A call is answered with this status of gRPC."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Faults:
    """The faults that hold now."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()

    def apply(self, method: str, volume_id: str) -> None:
        """Wait and fail as a fault for this call says.

        Raises: Refusal, with the status of the fault.
        """
        fault = self._take(method, volume_id)
        time.sleep(fault.get("delay", 0))
        if "code" in fault:
            raise Refusal(grpc.StatusCode[fault["code"]], fault.get("message", "injected fault"))

    def _take(self, method: str, volume_id: str) -> dict[str, Any]:
        with self._lock:
            for volume in (volume_id, None):
                path = fault_file(self._directory, method, volume)
                try:
                    fault: dict[str, Any] = json.loads(path.read_text())
                except FileNotFoundError:
                    continue
                if "times" in fault:
                    self._use_up(path, fault)
                return fault
        return {}

    def _use_up(self, path: Path, fault: dict[str, Any]) -> None:
        fault["times"] -= 1
        if fault["times"] > 0:
            write_fault(path, fault)
        else:
            path.unlink(missing_ok=True)


def fault_file(directory: Path, method: str, volume: str | None) -> Path:
    """Return where the fault of a method is written, of one volume or of all."""
    return directory / (f"{method}@{volume}" if volume else method)


def write_fault(path: Path, fault: dict[str, Any]) -> None:
    """Write a fault so that the driver sees all of it or nothing."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(fault))
    draft.replace(path)


class Record:
    """The file with one line for each call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def add(self, **call: object) -> None:
        """Append a call; a reader never sees half a line's text mixed with another's."""
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(call) + "\n")
