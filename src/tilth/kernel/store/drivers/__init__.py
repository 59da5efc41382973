"""One module per database driver."""
