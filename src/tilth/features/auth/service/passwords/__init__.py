"""Passwords: which are accepted, what is stored of them, and how one is verified."""
