"""Public tools for testing an application made with Tilth."""
