"""Rows for people with tools of their own: views, and a role that may read nothing else."""
