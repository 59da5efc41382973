"""Signed tokens (RFC 7515 to 7519), read more strictly than the standards ask."""
