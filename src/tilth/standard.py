"""The application with the batteries everybody gets."""

from tilth.app import Application
from tilth.feature import Feature
from tilth.features.api.feature import feature as api

STANDARD: tuple[Feature, ...] = (api,)


class Tilth(Application):
    """A FastAPI application that serves the models it is given.

    See tilth.app.Application for the parameters.
    """

    features = STANDARD
