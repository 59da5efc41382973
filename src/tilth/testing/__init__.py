"""Public tools for testing an application made with Tilth."""

from tilth.runtime.web.actor import bearer_reader
from tilth.testing.actors import acting, actor_reader

__all__ = ["acting", "actor_reader", "bearer_reader"]
