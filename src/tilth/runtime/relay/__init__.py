"""Events → the functions that subscribe to them, after the commit and apart from any request."""
