"""Update masks."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from services.common.errors import InvalidFields
from services.common.masks import changed
from spotilike.catalog.v1.track_pb2 import Track

CHANGEABLE = {"title", "track_number", "artists", "genres"}


def test_without_a_mask_the_fields_that_are_set_are_changed():
    """AIP-134."""
    assert changed(Track(name="tracks/x", title="New"), FieldMask()) == {"title"}


def test_a_star_means_every_field_that_can_be_changed():
    """Also those that are empty in the request."""
    assert changed(Track(name="tracks/x"), FieldMask(paths=["*"])) == CHANGEABLE


def test_a_mask_can_clear_a_field():
    """A field that is named and empty becomes empty."""
    assert changed(Track(), FieldMask(paths=["genres"])) == {"genres"}


def test_the_json_spelling_of_a_path_is_understood():
    """Clients write it into the query."""
    assert changed(Track(), FieldMask(paths=["trackNumber"])) == {"track_number"}


def test_what_only_the_platform_sets_is_ignored():
    """A client may send back what it was given."""
    assert changed(Track(name="tracks/x", is_available=True), FieldMask(paths=["is_available", "album"])) == set()


def test_an_unknown_path_is_refused_by_name():
    """Every one of them."""
    with pytest.raises(InvalidFields) as refused:
        changed(Track(), FieldMask(paths=["title", "colour", "release_date.year"]))

    assert [violation.description.split()[0] for violation in refused.value.violations] == [
        "colour",
        "release_date.year",
    ]
