"""From an alias to an answer: route -> tier -> deployment -> attempt.

``plan`` holds what the configuration compiles to, ``attempts`` tries deployments until one answers, ``classify`` says
what an attempt's outcome means.
"""
