"""Accounts and every way to sign in."""

from tilth.feature import Feature

feature = Feature("auth")
