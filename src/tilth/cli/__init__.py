"""The tilth command."""
