"""The machine's clock, set wrong by a test."""

from datetime import datetime, timedelta

from rso.kube.clock import SystemClock


class ShiftedClock(SystemClock):
    """Its wall clock is off by so much; monotonic time is that of the machine."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.offset
