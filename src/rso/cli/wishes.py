"""Sizes as people write them on the command line: `data=20Gi`, or by index `0=20Gi`."""

from collections.abc import Mapping

import click

from rso.cli.flags import Option
from rso.core.model import OwnAnnotations, StatefulSet
from rso.core.names import WISH_BY_INDEX
from rso.core.quantity import InvalidQuantity, Size, size

Wishes = dict[str, Size]


def wish_argument(*, required: bool) -> Option:
    """Return the decorator for the argument that takes sizes."""
    return click.argument(
        "wishes",
        metavar="TEMPLATE=SIZE..." if required else "[TEMPLATE=SIZE]...",
        nargs=-1,
        required=required,
        callback=read_wishes,
    )


def read_wishes(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> Wishes:
    """Return {template name or index: size}.

    Raises: click.BadParameter, with how a size is written.
    """
    wishes: Wishes = {}
    for text in texts:
        template, equals, amount = text.partition("=")
        if not equals or not template:
            raise click.BadParameter(f"{text!a} is no size; write TEMPLATE=SIZE, as data=20Gi")
        if template in wishes:
            raise click.BadParameter(f"{template!a} is given twice")
        try:
            wishes[template] = size(amount)
        except InvalidQuantity as fault:
            raise click.BadParameter(f"{template}: {fault}") from None
    return wishes


def by_index(statefulset: StatefulSet, wishes: Wishes) -> dict[int, Size]:
    """Return {template index: size}; a name wins over an index that is spelled the same.

    Raises: click.UsageError, naming the templates that there are.
    """
    names = [template.name for template in statefulset.spec.volume_claim_templates]
    found: dict[int, Size] = {}
    for template, wanted in wishes.items():
        index = _index(names, template)
        if index is None:
            raise click.UsageError(f"{template!a} is no claim template; {_known(names)}")
        if index in found:
            raise click.UsageError(f"{names[index]} is given twice, by its name and its index")
        found[index] = wanted
    return found


def annotations(sizes: Mapping[int, Size]) -> dict[str, str]:
    """Return the annotations that say these sizes."""
    return {f"{WISH_BY_INDEX}{index}": wanted.text for index, wanted in sizes.items()}


def annotated(present: Mapping[str, str], sizes: Mapping[int, Size]) -> OwnAnnotations:
    """Return a set's annotations as if they said these sizes."""
    return OwnAnnotations({**present, **annotations(sizes)})


def _index(names: list[str], template: str) -> int | None:
    if template in names:
        return names.index(template)
    is_index = template.isascii() and template.isdigit() and str(int(template[:4])) == template
    return int(template) if is_index and int(template) < len(names) else None


def _known(names: list[str]) -> str:
    if not names:
        return "the set has no volumeClaimTemplates"
    return "the set has " + ", ".join(f"{index}={name}" for index, name in enumerate(names))
