"""SQLite: the text of a table, what it means, and how it is changed."""
