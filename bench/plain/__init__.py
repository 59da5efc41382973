"""What plain SQL says about a database: the other side of bench/adopt_check.py."""
