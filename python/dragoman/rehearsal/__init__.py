"""The provider that needs no network: the demo, the test double, and the users' own staging upstream.

It answers chat completions, completions and embeddings in the OpenAI dialect, streamed or whole. The answer is a
function of the seed and the request, so that a test may compare bytes; the usage is counted, not guessed; the pace is
that of a provider. What makes it worth having is that it breaks on request (see ``script.Script``).

One request is read from the top down::

    request.py    the body as types; what is wrong with it is said as OpenAI says it
    script.py     how it is to be played: the operator's script, overlaid by the request's
    answer.py     what is said (prose.py, instance.py make it up; pieces.py cuts it into tokens)
    render.py     the same as OpenAI's JSON, whole or in chunks (embed.py: as vectors)
    faults.py     what the script breaks; recording.py: a recorded answer instead
    stage.py      all of it in order: a request in, a ``Plan`` out; pure but for the counter's memory
    server.py     plays a plan over RSGI

Only ``server.py`` knows time; everything above it is a pure function and takes it as an argument.
"""
