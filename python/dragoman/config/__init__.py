"""The configuration: its types (:mod:`.schema`), a file read into them (:mod:`.load`), checked as a whole
(:mod:`.resolve`), read again when it changes (:mod:`.reload`) and described for editors (:mod:`.document`).

Nothing here knows a provider's name or how a key is hashed: what higher layers know is passed in.
"""
