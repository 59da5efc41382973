"""A module with models and no application → an application to look at them in development."""

from __future__ import annotations

from types import ModuleType

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from tilth.declared import Declared
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rules import public
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.schema.place import place_of
from tilth.kernel.store.engine import database_url
from tilth.standard import Tilth


def mapped_classes(module: ModuleType) -> list[type]:
    """Every class with a table that has a name in the module, in the order of their names there."""
    found = [value for value in vars(module).values() if isinstance(value, type)]
    return [
        model
        for model in dict.fromkeys(found)
        if isinstance(inspect(model, raiseerr=False), Mapper)
    ]


def application_of_models(module: ModuleType) -> Tilth:
    """Everything may be read by anyone, and every text field is searched."""
    app = Tilth(title=module.__name__)
    dialect = database_url(app.database_url).drivername
    plain = [Exposure(model, where=place_of(model)) for model in mapped_classes(module)]
    resources, _ = schema_from(plain, dialect)
    texts = {
        resource.model: tuple(
            field.name for field in resource.fields.values() if field.kind.name == "text"
        )
        for resource in resources.values()
    }
    for exposure in plain:
        searched = Exposure(exposure.model, None, texts.get(exposure.model, ()), exposure.where)
        app.declare(Declared(searched, Policy(read=public)))
    return app
