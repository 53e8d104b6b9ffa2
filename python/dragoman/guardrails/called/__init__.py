"""Guardrails that are called out."""
