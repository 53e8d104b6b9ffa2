"""How the gateway proves to a provider who it is, where that is more than a key."""
