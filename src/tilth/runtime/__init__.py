"""Machinery the features stand on."""
