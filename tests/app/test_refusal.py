"""A refusal is short in logs and whole for who asks."""

import msgspec

from rso.app.answers import refusal_of
from rso.kube.errors import from_answer


def test_a_refusal_is_kept_whole() -> None:
    """What an error's text cuts, the refusal keeps: `rso plan` shows it."""
    message = "a field is wrong; " * 100
    error = from_answer(422, {}, msgspec.json.encode({"message": message}))

    assert message == refusal_of(error).message
    assert len(message) > len(str(error))
