"""The exit codes, and which fault leads to which."""

OK = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3
TIMED_OUT = 4
FORBIDDEN = 5


class Failed(Exception):
    """The command could not do what was asked; its text says why and what to do."""


class NoAnswer(Exception):
    """The cluster was never reached; its text says which one and what to check."""


class TimedOut(Exception):
    """It was not finished in the time given; its text says what goes on."""


def exit_code(fault: BaseException) -> int | None:
    """Return the code for a fault that its text explains; None for one nobody expected."""
    from rso.core.quantity import InvalidQuantity  # noqa: PLC0415  `rso --help` needs no such
    from rso.kube.errors import (  # noqa: PLC0415  likewise
        Forbidden,
        KubeError,
        NoCredentials,
        Unauthorized,
        Unreachable,
    )

    if isinstance(fault, TimedOut):
        return TIMED_OUT
    if isinstance(fault, (Forbidden, Unauthorized)):
        return FORBIDDEN
    if isinstance(fault, (NoAnswer, Unreachable, NoCredentials)):
        return UNREACHABLE
    if isinstance(fault, (Failed, InvalidQuantity, KubeError)):
        return FAILED
    return None


def sentence(fault: BaseException) -> str:
    """Return a fault as a person should read it: what, where, what to do."""
    from rso.kube.errors import Forbidden, NoCredentials, Unauthorized  # noqa: PLC0415  as above

    if isinstance(fault, Forbidden):
        return f"forbidden: {fault.message}; ask for that right, or use another --context"
    if isinstance(fault, Unauthorized):
        return (
            "the API server does not accept the credentials of this context; log in again, or use "
            "another --context"
        )
    if isinstance(fault, NoCredentials):
        return f"{fault}; --kubeconfig, --context and the variable KUBECONFIG choose another"
    return str(fault)
