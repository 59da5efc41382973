"""Ways to deliver mail."""
