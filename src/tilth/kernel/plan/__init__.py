"""What will be done. Pure: nothing here waits or touches a database."""
