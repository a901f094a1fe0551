"""Runs `rso`, and masks what differs from run to run."""

import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from rso.cli.main import main

PROGRAM = "from rso.cli.main import main; main()"
SECONDS = 60.0


@dataclass(frozen=True)
class Ran:
    """What a command printed, masked, and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Rso:
    """`rso` with the flags that name a cluster, a namespace and the operator's namespace."""

    kubeconfig: Path
    namespace: str
    operator_namespace: str

    def __call__(self, *words: str) -> Ran:
        """Run one command, whose words are split at blanks, to its end in this process."""
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main(self.arguments(*words))
        code = ended.value.code
        assert isinstance(code, int)
        return Ran(code, self.masked(out.getvalue()), self.masked(err.getvalue()))

    def apart(self, *words: str) -> Ran:
        """Run one command in a process of its own: it would change this one's logging."""
        done = subprocess.run(
            self.line(*words),
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Ran(done.returncode, self.masked(done.stdout), self.masked(done.stderr))

    def arguments(self, *words: str) -> list[str]:
        """Return the words of a command and the flags that name places."""
        parts = [part for word in words for part in word.split()]
        cluster = ("--kubeconfig", str(self.kubeconfig))
        places = ("--namespace", self.namespace, "--operator-namespace", self.operator_namespace)
        return [*parts, *cluster, *places]

    def line(self, *words: str) -> list[str]:
        """Return the command line for a process of the caller's own."""
        return [sys.executable, "-c", PROGRAM, *self.arguments(*words)]

    def environment(self) -> dict[str, str]:
        """Return an environment without the caller's clusters and settings."""
        kept = os.environ.items()
        return {name: text for name, text in kept if not name.startswith(("KUBE", "RSO_"))}

    def masked(self, text: str) -> str:
        """Return text with made-up names: `app`, `rso-system`, `srb-1`, N bytes, N seconds."""
        text = text.replace(self.operator_namespace, "rso-system").replace(self.namespace, "app")
        text = re.sub(r"srb-[0-9a-f]{40}", "srb-1", text)
        text = re.sub(r"[0-9]{3,5} of 921600 bytes", "N of 921600 bytes", text)
        text = re.sub(r"after [0-9]+ s", "after N s", text)
        # The columns of a table follow the widest name.
        lines = (re.sub(r" {2,}", "  ", line).rstrip() for line in text.splitlines())
        return "\n".join(lines) + ("\n" if text else "")
