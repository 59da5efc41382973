"""The names of docs/reference/naming.md, from tables alone."""

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)

from tilth.kernel.schema.adopt import exposures_from
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.schema.resource import Schema


def table(metadata: MetaData, name: str, *references: str, key: str = "id") -> Table:
    """references: "artist_id → artist.id"."""
    pairs = [reference.split(" → ") for reference in references]
    return Table(
        name,
        metadata,
        Column(key, Integer, primary_key=True),
        *(Column(column, Integer, ForeignKey(target)) for column, target in pairs),
    )


def adopted(metadata: MetaData) -> Schema:
    schema, findings = schema_from(exposures_from(metadata, "sqlite").exposures, "sqlite")
    assert [finding for finding in findings if finding.level == "error"] == []
    return schema


def ways(schema: Schema, resource: str) -> dict[str, tuple[str, bool]]:
    relations = schema[resource].relations.values()
    return {each.name: (each.target, each.many) for each in relations}


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("InvoiceLine", "invoice-lines"),
        ("invoice_line", "invoice-lines"),
        ("Order Details", "order-details"),
        ("categories", "categories"),
        ("Straße", "straßes"),
    ],
)
def test_resource_is_the_plural_of_the_table(name: str, resource: str) -> None:
    metadata = MetaData()
    table(metadata, name)

    assert list(adopted(metadata)) == [resource]


@pytest.mark.parametrize(
    ("parent", "child", "column", "forward", "back"),
    [
        ("Artist", "Album", "ArtistId", "Artist", "Albums"),
        ("artist", "album", "artist_id", "artist", "albums"),
        ("artists", "albums", "artist_id", "artist", "albums"),
        ("ARTIST", "ALBUM", "ARTIST_ID", "ARTIST", "ALBUMS"),
        ("artist", "album", "artistID", "artist", "albums"),
        ("artist", "album", "artistid", "artist", "albums"),
        ("Employee", "Customer", "SupportRepId", "SupportRep", "Customers"),
        ("Employees", "Teams", "ReportsTo", "ReportsToEmployee", "Teams"),
        ("employees", "teams", "reports_to", "reports_to_employee", "teams"),
        ("people", "notes", "author", "author_person", "notes"),
        ("Orders", "Order Details", "OrderID", "Order", "OrderDetails"),
        ("Orders", "order details", "order_id", "order", "order_details"),
        ("grid", "cells", "paid", "paid_grid", "cells"),
    ],
)
def test_relations_are_named_after_column_and_child(
    parent: str, child: str, column: str, forward: str, back: str
) -> None:
    metadata = MetaData()
    table(metadata, parent)
    table(metadata, child, f"{column} → {parent}.id")
    schema = adopted(metadata)
    one, other = (each.relations for each in sorted(schema.values(), key=lambda r: not r.relations))
    names = {*one, *other}

    assert names == {forward, back}


def test_self_reference_gives_both_directions() -> None:
    metadata = MetaData()
    table(metadata, "Employee", "ReportsTo → Employee.id")

    assert ways(adopted(metadata), "employees") == {
        "ReportsToEmployee": ("employees", False),
        "Employees": ("employees", True),
    }


def test_two_keys_to_one_table_are_told_apart_on_the_way_back() -> None:
    metadata = MetaData()
    table(metadata, "airport")
    table(metadata, "flight", "origin_id → airport.id", "target_id → airport.id")
    schema = adopted(metadata)

    assert ways(schema, "flights") == {"origin": ("airports", False), "target": ("airports", False)}
    assert ways(schema, "airports") == {
        "flights_by_origin": ("flights", True),
        "flights_by_target": ("flights", True),
    }


def test_pascal_case_keeps_its_style_when_told_apart() -> None:
    metadata = MetaData()
    table(metadata, "Airport")
    table(metadata, "Flight", "OriginId → Airport.id", "TargetId → Airport.id")

    assert set(ways(adopted(metadata), "airports")) == {"FlightsByOrigin", "FlightsByTarget"}


def linked(metadata: MetaData, link: str, *references: str) -> None:
    pairs = [reference.split(" → ") for reference in references]
    columns = [Column(name, ForeignKey(target), primary_key=True) for name, target in pairs]
    Table(link, metadata, *columns)


def test_bare_link_table_is_a_many_to_many_relation_and_a_resource() -> None:
    metadata = MetaData()
    table(metadata, "Playlist")
    table(metadata, "Track")
    linked(metadata, "PlaylistTrack", "PlaylistId → Playlist.id", "TrackId → Track.id")
    schema = adopted(metadata)

    assert ways(schema, "playlists") == {"Tracks": ("tracks", True)}
    assert ways(schema, "tracks") == {"Playlists": ("playlists", True)}
    assert ways(schema, "playlist-tracks") == {
        "Playlist": ("playlists", False),
        "Track": ("tracks", False),
    }


def test_link_table_with_a_column_of_its_own_is_no_many_to_many_relation() -> None:
    metadata = MetaData()
    table(metadata, "playlist")
    table(metadata, "track")
    linked(metadata, "playlist_track", "playlist_id → playlist.id", "track_id → track.id")
    metadata.tables["playlist_track"].append_column(Column("place", Integer))

    assert ways(adopted(metadata), "playlists") == {"playlist_tracks": ("playlist-tracks", True)}


def test_table_linked_with_itself_has_a_relation_for_each_side() -> None:
    metadata = MetaData()
    table(metadata, "user")
    linked(metadata, "friendship", "user_id → user.id", "friend_id → user.id")

    assert ways(adopted(metadata), "users") == {
        "friends": ("users", True),
        "users": ("users", True),
    }


def test_two_link_tables_between_the_same_tables_are_told_apart() -> None:
    metadata = MetaData()
    table(metadata, "club")
    table(metadata, "person")
    linked(metadata, "club_member", "club_id → club.id", "member_id → person.id")
    linked(metadata, "club_founder", "club_id → club.id", "founder_id → person.id")

    assert set(ways(adopted(metadata), "clubs")) == {
        "people_via_club_member",
        "people_via_club_founder",
    }


def test_direct_relation_keeps_the_name_a_link_table_would_like() -> None:
    metadata = MetaData()
    table(metadata, "playlist")
    table(metadata, "track", "playlist_id → playlist.id")
    linked(metadata, "favourite", "playlist_id → playlist.id", "track_id → track.id")

    assert set(ways(adopted(metadata), "playlists")) == {"tracks", "tracks_via_favourite"}


def test_unique_foreign_key_leads_back_to_one_row() -> None:
    metadata = MetaData()
    table(metadata, "people")
    Table(
        "passports",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("person_id", ForeignKey("people.id"), unique=False),
        UniqueConstraint("person_id"),
    )

    assert ways(adopted(metadata), "people") == {"passport": ("passports", False)}


def test_composite_key_is_named_after_its_target() -> None:
    metadata = MetaData()
    Table(
        "cities",
        metadata,
        Column("country", String),
        Column("city", String),
        PrimaryKeyConstraint("country", "city"),
    )
    Table(
        "hotels",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("in_country", String),
        Column("in_city", String),
        ForeignKeyConstraint(["in_country", "in_city"], ["cities.country", "cities.city"]),
    )
    schema = adopted(metadata)

    assert ways(schema, "hotels") == {"city": ("cities", False)}
    assert ways(schema, "cities") == {"hotels": ("hotels", True)}


def test_column_keeps_its_name_and_the_relation_yields() -> None:
    metadata = MetaData()
    node = table(metadata, "node", "parent_id → node.id")
    node.append_column(Column("parent", String))
    node.append_column(Column("nodes", Integer))
    schema = adopted(metadata)

    assert list(schema["nodes"].fields) == ["id", "parent_id", "parent", "nodes"]
    assert set(ways(schema, "nodes")) == {"parent_node", "nodes_by_parent_node"}


def test_second_table_of_a_name_gets_a_number_and_a_note() -> None:
    metadata = MetaData()
    table(metadata, "Order")
    table(metadata, "orders")
    result = exposures_from(metadata, "sqlite")

    assert [exposure.name for exposure in result.exposures] == ["orders", "orders-2"]
    assert result.notes == ("table 'orders' is 'orders-2': 'Order' is 'orders'.",)


@pytest.mark.parametrize("name", ["metadata", "registry", "query", "_private", "a b", "class", "1"])
def test_columns_keep_names_that_python_code_could_not_use(name: str) -> None:
    metadata = MetaData()
    table(metadata, "thing").append_column(Column(name, String))

    assert list(adopted(metadata)["things"].fields) == ["id", name]


@pytest.mark.parametrize("name", ["__init__", "__class__", "_sa_instance_state"])
def test_columns_with_names_python_keeps_are_left_out_with_a_note(name: str) -> None:
    metadata = MetaData()
    table(metadata, "thing").append_column(Column(name, String))
    result = exposures_from(metadata, "sqlite")

    assert list(adopted(metadata)["things"].fields) == ["id"]
    assert result.notes == (f"thing.{name} is left out: Python keeps such names for itself.",)


def test_table_without_a_key_can_only_be_listed() -> None:
    metadata = MetaData()
    Table("log", metadata, Column("line", String), info={"tilth_no_key": True})

    assert adopted(metadata)["logs"].key == ()


def test_search_looks_into_texts_that_are_not_documents() -> None:
    metadata = MetaData()
    thing = table(metadata, "thing")
    for column in (
        Column("name", String(80)),
        Column("note", String),
        Column("page", String(5000)),
    ):
        thing.append_column(column)

    assert adopted(metadata)["things"].search == ("name", "note")
