"""A place where everything an application does to its database is forgotten again: for tests."""
