"""How full a volume was, as some source said it; nothing here is trusted yet."""

from datetime import datetime

import msgspec


class Sample(msgspec.Struct, frozen=True):
    """One reading of one claim's filesystem. Amounts may be odd, as NaN or below zero.

    `claim_uid` is the claim that was asked about; `taken_at` is the time of the reading, not of
    the question. `inodes` is None where the source knows none (btrfs reports 0: None here, too).
    """

    claim_uid: str
    taken_at: datetime
    capacity_bytes: float
    used_bytes: float
    available_bytes: float
    inodes: float | None = None
    inodes_used: float | None = None
