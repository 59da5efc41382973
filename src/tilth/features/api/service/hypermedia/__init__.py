"""Answers that say where to go from here, and what the caller may do there: HAL and HAL-FORMS."""
