"""The pipeline every feature shares; works with no HTTP."""
