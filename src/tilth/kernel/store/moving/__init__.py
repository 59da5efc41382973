"""All rows of one database → another one, of the same kind or not."""
