"""Several changes in one request and one transaction."""
