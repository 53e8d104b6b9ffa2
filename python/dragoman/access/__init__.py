"""Who may do what: virtual keys, their secrets, and the principals they stand for."""
