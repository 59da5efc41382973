"""What the read API says in bytes and words: addresses, media types, its own description."""
