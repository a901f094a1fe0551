"""Reading single metrics out of a part's text."""

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def samples(text: bytes, name: str) -> Iterator[Sample]:
    """Yield the samples of one metric; no other line is parsed, since there are thousands."""
    starts = (f"{name}{{", f"{name} ")
    lines = [line for line in text.decode().split("\n") if line.startswith(starts)]
    for family in text_string_to_metric_families("\n".join([*lines, ""])):
        yield from family.samples


def total(text: bytes, name: str, labels: dict[str, str]) -> float:
    """Return the sum of a metric's samples that have these labels."""
    found = samples(text, name)
    return sum(each.value for each in found if labels.items() <= each.labels.items())
