"""Limits and budgets: what a request may come to is held before it is sent, and what it came to is settled after."""
