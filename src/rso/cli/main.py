"""The command `rso`, also `kubectl rso`. Verbs are imported only when they are called.

Exit codes: 0 done, 1 failed or blocked, 2 usage, 3 cluster unreachable, 4 time-out, 5 forbidden.
"""

import importlib
import sys
from typing import Any

import click

from rso.cli.exits import exit_code, sentence

VERBS = {
    "resizer": "Run the operator's resizer.",
    "webhook": "Run the operator's admission webhook.",
    "autoscaler": "Run the operator's autoscaler.",
    "status": "Show what sets wish for, what they have, and what holds them.",
    "plan": "Show every request that a resize would make; change nothing.",
    "resize": "Wish for bigger volumes and follow the work.",
    "resume": "Bring an absent set back and finish its resize, without the operator.",
    "backup": "List backups, or print one.",
    "keygen": "Make the key that seals backups.",
}


class Verbs(click.Group):
    """Finds a verb in the file of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"rso.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="resize-statefulset-operator", prog_name="rso")
def rso() -> None:
    """Grow the volumes of a StatefulSet: every claim, the template too, no Pod restarted."""


def main(arguments: list[str] | None = None) -> Any:  # noqa: ANN401  never returns
    """Run one command and leave with its exit code."""
    try:
        rso.main(args=arguments, prog_name="rso", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.Abort:
        sys.exit(1)
    except click.ClickException as fault:
        fault.show()
        sys.exit(fault.exit_code)
    except Exception as fault:
        code = exit_code(fault)
        if code is None:
            raise
        click.echo(f"rso: {sentence(fault)}", err=True)
        sys.exit(code)
    sys.exit(0)
