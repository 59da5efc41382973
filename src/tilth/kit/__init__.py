"""Leaf helpers that know nothing of Tilth."""
