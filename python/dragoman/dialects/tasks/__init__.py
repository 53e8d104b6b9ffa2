"""What is asked of a provider besides to generate: vectors of texts, and an order of documents.

Such requests are short and their answers whole, so each wire format is one module: a :class:`~.task.Task` that reads
and writes both, as a client's API and as a provider's.
"""
