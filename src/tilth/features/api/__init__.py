"""The generated REST API."""
