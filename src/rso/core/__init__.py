"""Decides: pure functions over plain data, no I/O."""
