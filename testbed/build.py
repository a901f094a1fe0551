"""Builds the programs of a bed from Go modules, once for each content of its inputs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import images
from testbed.cache import HERE, build_directory, cache_directory, locked
from testbed.process import BedError, run
from testbed.progress import Step, say, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

KUBERNETES = HERE / "go" / "cluster"
TOOLS = HERE / "go" / "tools"
KUBERNETES_BINARY = "kubernetes"
KUBERNETES_PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)
KWOK_STAGES = (
    "node/fast/node-initialize",
    "pod/fast/pod-ready",
    "pod/fast/pod-complete",
    "pod/fast/pod-delete",
)
GO_FLAGS = "-buildvcs=false -trimpath"
# How `go list` names a package that a build would only link.
CACHED = "not installed but available in build cache"
ESTIMATE = "about 10 minutes on 2 cores the first time, 1 minute when Go's caches are warm"


def build() -> Path:
    """Return the directory of the programs, built now if need be.

    It appears whole or not at all: a build that was killed is begun again.
    Raises: BedError, with what the failing tool said.
    """
    target = build_directory()
    with locked(cache_directory()):
        if not target.is_dir():
            say(f"Building the test bed's programs and images into {target}: {ESTIMATE}.")
            started = time.monotonic()
            with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as draft:
                build_into(Path(draft, "programs"), Path(draft, "work"))
                Path(draft, "programs").rename(target)
            say(f"Built in {time.monotonic() - started:.0f} s.")
    return target


def build_into(programs: Path, work: Path) -> None:
    programs.mkdir()
    version = module(KUBERNETES, "k8s.io/kubernetes", "Version")
    stamp = f"-s -w -X k8s.io/component-base/version.gitVersion={version}"
    with steps() as add_step:
        go_build(
            add_step(f"Kubernetes {version} and etcd"),
            KUBERNETES,
            ".",
            ("-ldflags", stamp, "-o", str(programs / KUBERNETES_BINARY)),
        )
        go_build(
            add_step("CSI sidecars, KWOK and Helm"),
            TOOLS,
            "tool",
            ("-ldflags", "-s -w", "-o", f"{programs}/"),
        )
        for name in KUBERNETES_PROGRAMS:
            (programs / name).symlink_to(KUBERNETES_BINARY)
        copy_protocols(programs / "protos")
        write_stages(programs / "kwok-stages.yaml")
        images.build_busybox(add_step("image of test Pods"), programs / "images", work)


def go_build(step: Step, directory: Path, packages: str, options: tuple[str, ...]) -> None:
    """Build Go packages; the step counts modules to download, then packages to compile."""
    modules = (directory / "go.mod").read_text().count("\n\t")
    listing = ("go", "list", "-deps", "-f", "{{.StaleReason}}", *options[:2], packages)
    reasons = []
    step.begin("downloading", modules)
    for line in lines(listing, directory):
        if line.startswith("go: downloading"):
            step.advance()
        else:
            reasons.append(line)
    step.begin("compiling", sum(reason not in {"", CACHED} for reason in reasons))
    for _ in lines(("go", "build", "-v", *options, packages), directory):
        step.advance()
    step.finish()


def lines(command: tuple[str, ...], directory: Path) -> Iterator[str]:
    """Yield what a command prints, line by line.

    Raises: BedError, with its last lines, when it fails.
    """
    # Without cgo the result does not depend on whether a C compiler is installed.
    environment = os.environ | {"GOFLAGS": GO_FLAGS, "CGO_ENABLED": "0"}
    last: list[str] = []
    with subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            last = [*last[-20:], line.rstrip()]
            yield last[-1]
    if process.returncode:
        raise BedError("\n".join([f"{' '.join(command[:2])} failed:", *last]))


def module(directory: Path, name: str, field: str) -> str:
    """Return a field of a module that go.mod names, such as its Version or its Dir."""
    return run("go", "list", "-m", "-f", f"{{{{.{field}}}}}", name, cwd=directory).strip()


def copy_protocols(protos: Path) -> None:
    """Copy the two protocols that the CSI driver speaks."""
    protos.mkdir()
    csi = Path(module(TOOLS, "github.com/container-storage-interface/spec", "Dir"))
    shutil.copyfile(csi / "csi.proto", protos / "csi.proto")
    kubelet = Path(module(KUBERNETES, "k8s.io/kubelet", "Dir"))
    registration = kubelet / "pkg/apis/pluginregistration/v1/api.proto"
    shutil.copyfile(registration, protos / "pluginregistration.proto")


def write_stages(path: Path) -> None:
    """Write what KWOK does with nodes and Pods: built by itself it knows nothing."""
    stages = Path(module(TOOLS, "sigs.k8s.io/kwok", "Dir"), "kustomize", "stage")
    path.write_text("".join(f"---\n{(stages / f'{s}.yaml').read_text()}" for s in KWOK_STAGES))
