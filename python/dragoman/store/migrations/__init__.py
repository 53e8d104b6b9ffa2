"""One module a revision of the tables, oldest first. Forward only: there is no way back but a backup.

A revision spells its tables out and never imports ``tables``, which moves on.
"""
