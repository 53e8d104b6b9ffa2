"""Prompt controls: what is put into, around and beside what clients ask, before it is looked at and sent."""
