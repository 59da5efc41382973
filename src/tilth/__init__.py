"""Your models in, a whole backend out."""
