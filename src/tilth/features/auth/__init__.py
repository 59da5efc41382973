"""Accounts: one identity, and many ways to prove it."""
