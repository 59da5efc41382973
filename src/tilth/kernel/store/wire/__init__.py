"""What an object is on its way from the database: messages and bytes, or SQL and plan."""
