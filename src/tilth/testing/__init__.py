"""Public tools for testing an application made with Tilth."""

from tilth.testing.actors import acting, actor_reader

__all__ = ["acting", "actor_reader"]
