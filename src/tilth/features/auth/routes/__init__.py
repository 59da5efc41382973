"""What accounts are over HTTP."""
