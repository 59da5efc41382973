"""The environment becomes Settings, or a list of everything wrong with it."""

from pathlib import Path

import pytest

from tilth.errors import SetupError
from tilth.settings import (
    VARIABLES,
    MailSettings,
    MigrateSettings,
    RelaySettings,
    Settings,
    StoreSettings,
    WebSettings,
    load_settings,
    settings_table,
)

SECRET = "an-invented-key-of-40-characters-or-so--"
REFERENCE = Path(__file__).parents[1] / "docs/reference/settings.md"


def findings_of(environ):
    with pytest.raises(SetupError) as caught:
        load_settings(environ)
    return caught.value.findings


def test_an_empty_environment_gives_the_defaults():
    assert load_settings({"PATH": "/bin", "TILTH_DATABASE": ""}) == Settings()


def test_values_reach_their_sections():
    environ = {
        "TILTH_DATABASE": "sqlite:///heroes.db",
        "TILTH_POOLER": "true",
        "TILTH_REQUEST_SECONDS": "2.5",
        "TILTH_CORS_ORIGINS": "https://A.example, http://localhost:5173",
        "TILTH_SECRET_KEY": SECRET,
        "TILTH_ENVIRONMENT": "development",
    }

    assert load_settings(environ) == Settings(
        store=StoreSettings(database="sqlite:///heroes.db", pooler=True),
        web=WebSettings(
            request_seconds=2.5, cors_origins=("https://a.example", "http://localhost:5173")
        ),
        secret_key=SECRET,
        environment="development",
    )


def test_an_unknown_name_is_refused_with_what_was_probably_meant():
    (finding,) = findings_of({"TILTH_DATABSE": "sqlite://"})

    assert (finding.code, finding.subject) == ("settings.unknown", "TILTH_DATABSE")
    assert finding.remedy == "Did you mean TILTH_DATABASE?"


BAD_VALUES = {
    "TILTH_ENVIRONMENT": ("prod", "staging"),
    "TILTH_SECRET_KEY": ("too-short",),
    "TILTH_STATEMENT_SECONDS": ("0", "-1", "nan", "inf", "soon"),
    "TILTH_POOL_SIZE": ("0", "-1", "1.5", "²", "9" * 5000),
    "TILTH_JSON_DEPTH": ("513",),
    "TILTH_JSON_DIGITS": ("4001",),
    "TILTH_POOLER": ("maybe",),
    "TILTH_CORS_ORIGINS": ("example.com", "https://a.example/path", "https://a.example:99999"),
    "TILTH_PUBLIC_URL": ("ftp://a.example", "https://user@a.example", "https://[::1"),
}


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in BAD_VALUES.items() for text in texts]
)
def test_a_bad_value_is_refused_and_never_shown(name, text):
    (finding,) = findings_of({name: text})

    assert (finding.code, finding.subject) == ("settings.bad_value", name)
    assert finding.remedy.startswith("Expected ")
    assert len(text) < 5 or text not in str(finding)


def test_every_mistake_is_told_at_once():
    environ = {"TILTH_X": "1", "TILTH_Y": "1", "TILTH_POOL_SIZE": "0", "TILTH_POOLER": "perhaps"}

    subjects = [finding.subject for finding in findings_of(environ)]

    assert subjects == ["TILTH_X", "TILTH_Y", "TILTH_POOL_SIZE", "TILTH_POOLER"]


def test_any_origin_together_with_credentials_is_refused():
    environ = {"TILTH_CORS_ORIGINS": "*", "TILTH_CORS_CREDENTIALS": "true"}

    assert [finding.code for finding in findings_of(environ)] == ["settings.cors_credentials"]


def test_printed_settings_show_no_secret():
    settings = load_settings(
        {"TILTH_SECRET_KEY": SECRET, "TILTH_DATABASE": "postgresql://u:hidden@h/d"}
    )

    assert SECRET not in repr(settings)
    assert "hidden" not in repr(settings)


def test_every_field_has_a_variable_of_its_name():
    sections = {
        "": Settings,
        "store": StoreSettings,
        "web": WebSettings,
        "relay": RelaySettings,
        "migrate": MigrateSettings,
        "mail": MailSettings,
    }
    fields = {
        (section, name)
        for section, record in sections.items()
        for name in record.__dataclass_fields__
        if name not in sections
    }

    assert {(variable.section, variable.field) for variable in VARIABLES} == fields


def test_the_reference_lists_every_variable():
    assert settings_table() in REFERENCE.read_text()
