"""PostgreSQL for reading: a pool of asyncpg connections that only read."""
