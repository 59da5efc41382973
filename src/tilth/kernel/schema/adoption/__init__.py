"""An existing database → mapped classes with predictable names."""
