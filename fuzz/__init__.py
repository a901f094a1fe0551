"""Fuzzing: targets with one property each, driven by two engines."""
