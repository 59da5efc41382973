"""Revisions made in a scratch database, to see what they would do."""
