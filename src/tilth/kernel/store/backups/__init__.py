"""One database → one file that holds all of it, and back."""
