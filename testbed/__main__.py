"""python -m testbed: a small real Kubernetes on this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import requirements
from testbed.cache import built_programs, default_state
from testbed.process import BedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Commands import what they need, so that a machine that lacks it is told so in plain words.


def up(options: argparse.Namespace) -> int:
    requirements.check_up(node=options.node)
    from testbed import lifecycle  # noqa: PLC0415 # as said above
    from testbed.bed import Options  # noqa: PLC0415 # as said above

    wanted = Options(
        storage=options.storage,
        fake_nodes=options.fake_nodes,
        node=options.node,
        controller_qps=options.controller_qps,
        controller_burst=options.controller_burst,
        apiserver_flags=tuple(options.apiserver_flag),
        controller_manager_flags=tuple(options.controller_manager_flag),
    )
    bed = lifecycle.up(options.state, built_programs(), wanted)
    print(bed.path("kubeconfig"))
    return 0


def down(options: argparse.Namespace) -> int:
    requirements.check_up(node=False)
    from testbed import lifecycle  # noqa: PLC0415 # as said above

    ended = lifecycle.down(options.state)
    print(f"ended the test bed in {options.state}" if ended else f"no test bed in {options.state}")
    return 0


def status(options: argparse.Namespace) -> int:
    from testbed.status import describe  # noqa: PLC0415 # as said above

    lines, is_healthy = describe(options.state.resolve())
    print("\n".join(lines))
    return 0 if is_healthy else 1


def signal(options: argparse.Namespace) -> int:
    from testbed.inside import send_signal  # noqa: PLC0415 # as said above

    send_signal(options.state.resolve(), options.component, options.signal)
    return 0


def enter(options: argparse.Namespace) -> int:
    from testbed.inside import enter_bed  # noqa: PLC0415 # as said above

    return enter_bed(options.state.resolve(), options.command or ["bash"])


def build(_options: argparse.Namespace) -> int:
    requirements.check_build()
    from testbed import prometheus  # noqa: PLC0415 # as said above
    from testbed.build import build as build_programs  # noqa: PLC0415 # as said above

    programs = build_programs()
    prometheus.fetch()
    print(programs)
    return 0


def missing_packages(_options: argparse.Namespace) -> int:
    print(" ".join(requirements.missing_packages()))
    return 0


def supervise(_options: argparse.Namespace) -> int:
    from testbed.supervisor import supervise as run_bed  # noqa: PLC0415 # as said above

    run_bed()
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m testbed", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, function: Callable[[argparse.Namespace], int], about: str
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about, description=about)
        command.set_defaults(function=function)
        return command

    add("build", build, "build all programs and images, once")
    add_up_options(add("up", up, "start a bed; one with the same state is ended first"))
    add_state(add("down", down, "end a bed, whatever became of it"))
    add_state(add("status", status, "tell what runs; status 1 when something does not"))
    command = add("signal", signal, "send a signal to a component")
    command.add_argument("component", help="such as kube-apiserver")
    command.add_argument("signal", help="STOP, CONT, or KILL: it is started again")
    add_state(command)
    command = add("enter", enter, "run a command, or a shell, in the bed's namespaces")
    add_state(command)
    command.add_argument("command", nargs=argparse.REMAINDER)
    add("missing-packages", missing_packages, "print the Debian packages to install")
    commands.add_parser("supervise").set_defaults(function=supervise)
    return top


def add_state(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--state", type=Path, default=default_state(), help="the bed's directory (%(default)s)"
    )


def add_up_options(command: argparse.ArgumentParser) -> None:
    add_state(command)
    flag = command.add_argument
    flag("--storage", action="store_true", help="CSI driver, provisioner and resizer")
    flag("--fake-nodes", type=int, default=0, metavar="N", help="nodes that KWOK plays")
    flag("--node", action="store_true", help="a real node; implies --storage")
    flag("--controller-qps", type=float, default=20, help="of the controller manager (%(default)s)")
    flag("--controller-burst", type=int, default=30, help="likewise (%(default)s)")
    more = "a further flag of its own, such as --apiserver-flag=--v=4; may be repeated"
    flag("--apiserver-flag", action="append", default=[], metavar="FLAG", help=more)
    flag("--controller-manager-flag", action="append", default=[], metavar="FLAG", help="likewise")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    function: Callable[[argparse.Namespace], int] = options.function
    try:
        return function(options)
    except BedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
