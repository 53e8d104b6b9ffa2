"""Providers: the catalogue, one row a provider that speaks OpenAI's dialect (:mod:`.catalogue`)."""
