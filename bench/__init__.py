"""Measures the promises about speed and cost: `python -m bench [FIGURE...]`."""
