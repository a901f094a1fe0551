"""How a flag is made: with its variable, its check, and no empty value."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = Callable[..., Any]
Option = Callable[[Command], Command]
Value = TypeVar("Value")

Callback = Callable[[click.Context, click.Parameter, str | None], Value | None]


class Stated(click.Option):
    """An option whose flag or variable, where it is there, says something.

    An empty value is most often a template's mistake. Left to click, an empty variable would mean
    the default, and an empty path the directory that the process runs in.
    """

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the variable's value; None where it is not set.

        Raises: click.BadParameter, when it is empty.
        """
        name = self.envvar
        if isinstance(name, str) and os.environ.get(name) == "":
            message = f"the variable {name} is empty; give it a value, or do not set it"
            raise click.BadParameter(message, ctx, self)
        return super().resolve_envvar_value(ctx)

    def type_cast_value(self, ctx: click.Context, value: object) -> object:
        """Return the value in its type.

        Raises: click.BadParameter, when it is empty.
        """
        if value == "":
            raise click.BadParameter("it is empty; give a value, or leave it out", ctx, self)
        return super().type_cast_value(ctx, value)


def checked(convert: Callable[[str], Value]) -> Callback[Value]:
    """Return a callback that turns ValueError into the message of a bad flag."""

    def callback(_: click.Context, __: click.Parameter, text: str | None) -> Value | None:
        try:
            return None if text is None else convert(text)
        except ValueError as fault:
            raise click.BadParameter(str(fault)) from None

    return callback


def option(flag: str, name: str, **attributes: Any) -> Option:  # noqa: ANN401  click's own
    """Return an option with its variable: `--key-dir` is `RSO_KEY_DIR`."""
    variable = "RSO_" + flag.partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(flag, name, cls=Stated, envvar=variable, show_envvar=True, **attributes)


def compose(*options: Option) -> Option:
    """Return a decorator that adds options, in the order of the help page."""

    def decorate(command: Command) -> Command:
        for each in reversed(options):
            command = each(command)
        return command

    return decorate
