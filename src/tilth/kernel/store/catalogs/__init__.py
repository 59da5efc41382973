"""What the catalogue of a database says about its tables, one module per engine."""
