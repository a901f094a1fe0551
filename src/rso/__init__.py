"""Grows the volumes of a StatefulSet."""

__version__ = "0.1.0"
