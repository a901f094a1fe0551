"""Fixtures of the control-plane tests."""

from tests.support.fixtures import key_dir, operator_namespace, run, sets

__all__ = ["key_dir", "operator_namespace", "run", "sets"]
