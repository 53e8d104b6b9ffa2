"""What is durable: the database of keys and usage, and the directory it lives in.

The database is behind SQLAlchemy Core, so that a second one costs no second set of queries; what only SQLite
understands is in ``sqlite.py`` and nowhere else.
"""
