"""`tilth db …`: what looks after the database of an application."""
