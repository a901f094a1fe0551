"""Grows the volumes of a StatefulSet."""
