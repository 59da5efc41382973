"""Query sets: lazy, cached, composable, and only over rows that the actor may see."""
