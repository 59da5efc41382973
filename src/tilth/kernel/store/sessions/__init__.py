"""Sessions for the developer's own code: what they run on, and when they are committed."""
