"""Sessions over WebSockets: OpenAI's Realtime and Gemini Live, relayed frame by frame to providers that speak the same.

A session is authorised and routed when it is opened, and metered as it goes: each turn that the provider reports the
usage of is a row of its own, so that what has been spent is known before the session ends. Guardrails look at all that
is said in it, both ways.
"""
