"""What the webhook's settings allow, and how annotations under review are judged by them."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from rso.core import own_keys
from rso.core.model import StatefulSet, decode_hook
from rso.core.policy import Bounds
from rso.core.reviewed import Json
from rso.core.verdict import Draft

OnSmaller = Literal["deny", "keep"]
_SHOWN = 64  # characters of somebody's text that a sentence repeats


class Denied(Exception):
    """Ends a review; its text is the whole message."""


class Rules(msgspec.Struct, frozen=True):
    """What the webhook's settings allow."""

    bounds: Bounds
    on_smaller: OnSmaller = "deny"

    def check_keys(self, draft: Draft, changed: Mapping[str, str]) -> None:
        """Warn of keys that this version does not know, and refuse what no policy judges.

        Raises: Denied.
        """
        for key in own_keys.unknown(changed):
            draft.warn(f"the annotation {ascii(key[:_SHOWN])[1:-1]} is unknown to this version")
        found = own_keys.fault(changed, len(draft.templates))
        if found:
            raise Denied(found)


def model_of(annotations: Mapping[str, str], templates: list[Json]) -> StatefulSet | None:
    """Return a set as `read_policy` takes it; None for templates that no cluster would store."""
    body = {
        "metadata": {"name": "", "annotations": dict(annotations)},
        "spec": {"volumeClaimTemplates": templates},
    }
    try:
        return msgspec.convert(body, StatefulSet, dec_hook=decode_hook)
    except msgspec.ValidationError:
        return None
