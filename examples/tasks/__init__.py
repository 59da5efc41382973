"""A task manager: JSON for programs and pages for people, at the same addresses."""
