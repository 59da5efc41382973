"""What happens when somebody proves who they are, or wants to."""
