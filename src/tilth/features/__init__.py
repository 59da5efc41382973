"""The batteries, one folder each; none imports another."""
