"""Requests in, answers out: the only folder that knows granian.

``supervise`` keeps one worker process alive, ``worker`` is that process, ``app`` takes its requests.
"""
