"""What the data is."""
