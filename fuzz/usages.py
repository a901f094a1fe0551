"""Targets about what kubelets, a Prometheus and `df` say."""

import math
from contextlib import suppress

from fuzz.choices import Choices
from rso.app.usage.df import parse_blocks, parse_inodes
from rso.app.usage.kubelet import matching
from rso.app.usage.series import NEEDED, Table
from rso.app.usage.series import decode as decode_series
from rso.app.usage.source import Subject, Trouble
from rso.app.usage.summary import decode as decode_summary

_NUMBERS = ("0", "-1", "1073741824", "-", "9" * 25, "1e9", "")
_SUBJECT = Subject(
    namespace="shop",
    claim="data-db-0",
    claim_uid="u",
    pod="db-0",
    pod_uid="p",
    node="node-0",
    host_ip="127.0.0.1",
)
_VALUES = ('"1"', '"NaN"', '"+Inf"', '"-1e999"', '"x"', "1", "null", '""')
_TIMES = ("1", "1767225600.5", "-1e308", "1e308", '"1"', "null")


def kubelet_summaries(choices: Choices) -> None:
    """Any body is a summary or a trouble, and a claim gets no reading of another's volume."""
    try:
        found = decode_summary(choices.blob())
    except Trouble:
        return
    for key, sample in matching(found, [_SUBJECT]):
        assert (key, sample.claim_uid) == (_SUBJECT.key, _SUBJECT.claim_uid)


def df_lines(choices: Choices) -> None:
    """What `df` prints is numbers or a trouble, and is of the path that was asked about."""
    header = choices.pick(("Filesystem 1K-blocks Used", "Filesystem Inodes IUsed", choices.text()))
    numbers = " ".join(choices.pick(_NUMBERS) for _ in range(3))
    line = f"{choices.pick(('/dev/a', '', 'a b'))} {numbers} 5% {choices.pick(('/data', '/', 'x'))}"
    text = f"{header}\n{line}\n{choices.text()}" if choices.count(3) else choices.text()
    with suppress(Trouble):
        blocks = parse_blocks(text, "/data")
        assert all(map(math.isfinite, (blocks.capacity_bytes, blocks.used_bytes)))
    with suppress(Trouble):
        parse_inodes(text, "/data")


def prometheus_answers(choices: Choices) -> None:
    """Any answer is points or a trouble; a sample needs all amounts of one scrape."""
    table = Table([_SUBJECT])
    for metric in NEEDED:
        body = _matrix(choices) if choices.count(3) else choices.text().encode()
        try:
            table.add(metric, decode_series(body, table.keys))
        except Trouble:
            return
    for sample in table.samples().values():
        assert sample.claim_uid == _SUBJECT.claim_uid


def _matrix(choices: Choices) -> bytes:
    labels = '{"namespace":"shop","persistentvolumeclaim":"data-db-0"}'
    points = ",".join(
        f"[{choices.pick(_TIMES)},{choices.pick(_VALUES)}]" for _ in range(choices.count(4))
    )
    series = f'{{"metric":{labels},"values":[{points}]}}'
    return f'{{"data":{{"result":[{series}]}}}}'.encode()
