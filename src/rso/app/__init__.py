"""Joins the decisions with the cluster."""
