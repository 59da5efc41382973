"""`Prefer: respond-async`: changes that are accepted now and made later."""
