"""PostgreSQL: what is there, and which locks a change takes."""
