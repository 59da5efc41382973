"""Passkeys: WebAuthn's two ceremonies, and what they open."""
