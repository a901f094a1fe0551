"""Flags and variables make the settings, or name themselves and end with 2."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from rso.app.settings import Settings
from rso.cli.options import resizer_options, resizer_settings


def run(*arguments: str, **environment: str) -> tuple[Result, Settings | None]:
    """Run a command with the resizer's flags; return its result and the settings it got."""
    made: list[Settings] = []

    @click.command()
    @resizer_options()
    def command(**values: Any) -> None:  # noqa: ANN401  click gives each its own type
        made.append(resizer_settings(values))

    result = CliRunner().invoke(command, arguments, env=environment, catch_exceptions=False)
    return result, made[0] if made else None


def test_without_flags_the_defaults_hold() -> None:
    """A resizer without flags has the default settings, and an identity of its own."""
    _, settings = run("--identity", "me")
    _, other = run()

    assert Settings(identity="me") == settings
    assert other is not None
    assert "_" in other.identity


def test_every_flag_reaches_the_settings(tmp_path: Path) -> None:
    """Each flag sets its own field."""
    file = tmp_path / "config"
    file.touch()
    arguments = (
        f"--kubeconfig {file} --context c --namespace a,b --operator-namespace o --no-leader-elect "
        f"--identity me --concurrency 4 --recreate-concurrency 2 --max-size 1Ti --max-factor 3 "
        f"--template-follows always --key-dir {tmp_path} --metrics-bind 127.0.0.1:9 "
        "--log-format json --log-level DEBUG"
    )
    expected = Settings(
        kubeconfig=file,
        context="c",
        namespaces=("a", "b"),
        operator_namespace="o",
        leader_elect=False,
        identity="me",
        concurrency=4,
        recreate_concurrency=2,
        max_size_bytes=2**40,
        max_factor=3,
        template_follows="always",
        key_dir=tmp_path,
        metrics_bind=("127.0.0.1", 9),
        log_format="json",
        log_level="debug",
    )

    assert expected == run(*arguments.split())[1]


def test_every_flag_has_a_variable(tmp_path: Path) -> None:
    """Variables set what flags set, and a flag wins over its variable."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.touch()
    variables = {
        "RSO_KUBECONFIG": str(kubeconfig),
        "RSO_CONTEXT": "blue",
        "RSO_OPERATOR_NAMESPACE": "storage",
        "RSO_RECREATE_CONCURRENCY": "2",
        "RSO_MAX_FACTOR": "3",
        "RSO_TEMPLATE_FOLLOWS": "always",
        "RSO_LOG_FORMAT": "json",
        "RSO_LOG_LEVEL": "debug",
        "RSO_IDENTITY": "me",
        "RSO_NAMESPACE": "a,b",
        "RSO_LEADER_ELECT": "false",
        "RSO_MAX_SIZE": "1Ti",
        "RSO_METRICS_BIND": "0",
        "RSO_KEY_DIR": "keys",
        "RSO_CONCURRENCY": "4",
    }
    expected = Settings(
        kubeconfig=kubeconfig,
        context="blue",
        operator_namespace="storage",
        recreate_concurrency=2,
        max_factor=3,
        template_follows="always",
        log_format="json",
        log_level="debug",
        identity="me",
        namespaces=("a", "b"),
        leader_elect=False,
        max_size_bytes=2**40,
        metrics_bind=None,
        key_dir=Path("keys"),
        concurrency=5,
    )

    assert len(fields(Settings)) == len(variables)
    assert expected == run("--concurrency", "5", **variables)[1]


@pytest.mark.parametrize(
    ("arguments", "variables", "shown"),
    [
        pytest.param("--max-size 10GB", {}, ["--max-size", "'10GB'", "10Gi"], id="a size"),
        pytest.param("--concurrency 0", {}, ["--concurrency", "'0'", "1 to 1000"], id="a count"),
        pytest.param("--namespace A", {}, ["--namespace", "'A'", "a-z"], id="a namespace"),
        pytest.param("--namespace=", {}, ["--namespace", "it is empty"], id="no namespaces"),
        pytest.param("--key-dir=", {}, ["--key-dir", "it is empty"], id="an empty path"),
        pytest.param("--context=", {}, ["--context", "it is empty"], id="an empty name"),
        pytest.param("--metrics-bind x", {}, ["--metrics-bind", "'x'", "0 for off"], id="a port"),
        pytest.param("--log-level loud", {}, ["--log-level", "'loud'", "warning"], id="a choice"),
        pytest.param("--kubeconfig /none", {}, ["--kubeconfig", "/none"], id="a missing file"),
        pytest.param("", {"RSO_MAX_FACTOR": "x"}, ["RSO_MAX_FACTOR", "'x'"], id="a variable"),
        pytest.param("", {"RSO_NAMESPACE": ""}, ["RSO_NAMESPACE is empty"], id="an empty variable"),
        pytest.param("", {"RSO_KEY_DIR": ""}, ["RSO_KEY_DIR is empty"], id="an empty directory"),
        pytest.param("", {"RSO_LEADER_ELECT": "x"}, ["RSO_LEADER_ELECT", "'x'"], id="a boolean"),
    ],
)
def test_a_bad_value_names_itself(
    arguments: str, variables: dict[str, str], shown: list[str]
) -> None:
    """A bad value ends with 2, and the message has flag or variable, value and what is allowed."""
    result, settings = run(*arguments.split(), **variables)
    message = " ".join(result.output.split())

    assert result.exit_code == 2
    assert settings is None
    assert all(part in message for part in shown), message


def test_the_help_page_names_every_variable() -> None:
    """The help page shows a variable for each setting."""
    expected = len(fields(Settings))

    assert expected == run("--help")[0].output.count("RSO_")
