"""Pages of lists."""

import base64
from uuid import UUID

import pytest

from services.common.errors import InvalidArgument
from services.common.pages import LARGEST_SIZE, PageRequest
from spotilike.catalog.v1.track_service_pb2 import ListTracksRequest

ALBUM = "albums/019a0000-0000-7000-8000-000000000000"


def read_all(rows, size):
    """Read a whole list page by page, as a client does."""
    seen: list[int] = []
    token = ""
    while True:
        request = PageRequest(ListTracksRequest(album=ALBUM, page_size=size, page_token=token))
        start = rows.index(int(request.after[0])) + 1 if request.after else 0
        page = request.page(rows[start : start + request.limit], lambda row: (row,))
        seen += page.rows
        token = page.next_token
        if not token:
            return seen


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 21])
def test_every_row_is_on_exactly_one_page(count):
    """Also where the last page is full."""
    rows = list(range(count))

    assert read_all(rows, 10) == rows


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (7, 7), (LARGEST_SIZE + 1, LARGEST_SIZE)])
def test_a_page_size_is_coerced_not_refused(asked, given):
    """AIP-158."""
    assert PageRequest(ListTracksRequest(page_size=asked)).size == given


def token_of(album):
    """Return a token of the list of an album."""
    return PageRequest(ListTracksRequest(album=album, page_size=1)).page([1, 2], lambda row: (row,)).next_token


def test_a_token_of_another_list_is_refused():
    """Pages of two albums cannot be mixed."""
    with pytest.raises(InvalidArgument) as refused:
        PageRequest(ListTracksRequest(album=ALBUM.replace("a", "b"), page_token=token_of(ALBUM)))

    assert refused.value.reason == "PAGE_TOKEN_INVALID"


def test_the_page_size_may_change_between_pages():
    """It is not part of the list."""
    request = PageRequest(ListTracksRequest(album=ALBUM, page_size=3, page_token=token_of(ALBUM)))

    assert request.after == ("1",)


@pytest.mark.parametrize("token", ["x", "%%%", "Ω", base64.urlsafe_b64encode(b"\x08\x09").decode(), "A" * 1000])
def test_a_damaged_token_is_refused(token):
    """Whatever was done to it."""
    with pytest.raises(InvalidArgument) as refused:
        PageRequest(ListTracksRequest(album=ALBUM, page_token=token))

    assert refused.value.reason == "PAGE_TOKEN_INVALID"


def test_a_sort_key_that_somebody_wrote_by_hand_is_refused():
    """Neither too few columns nor another type gets as far as the database."""
    request = PageRequest(ListTracksRequest(album=ALBUM, page_token=token_of(ALBUM)))

    assert request.keyset(int) == (1,)
    for readers in ((int, int), (UUID,)):
        with pytest.raises(InvalidArgument) as refused:
            request.keyset(*readers)
        assert refused.value.reason == "PAGE_TOKEN_INVALID"


def test_the_first_page_begins_nowhere():
    """Without a token there is no sort key."""
    assert PageRequest(ListTracksRequest()).keyset(int) is None
