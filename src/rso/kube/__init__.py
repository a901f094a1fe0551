"""Talks to Kubernetes and knows nothing of resizing."""
