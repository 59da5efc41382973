"""The tables of accounts, and the statements on them."""
