"""Public tools for testing an application made with Tilth."""

from tilth.runtime.web.actor import bearer_reader
from tilth.testing.actors import acting, actor_reader
from tilth.testing.queries import assert_no_n_plus_one, max_queries
from tilth.testing.sandbox import sandbox

__all__ = [
    "acting",
    "actor_reader",
    "assert_no_n_plus_one",
    "bearer_reader",
    "max_queries",
    "sandbox",
]
