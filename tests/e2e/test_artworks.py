"""Pictures from a client's disk to everybody's screen, through the real edge."""

import time

import pytest

from tests.e2e.song import Listener
from tests.support import pictures

SIZES = (64, 300, 640, 1500)
QUARTERS = ["red", "green", "blue", "white"]


@pytest.fixture(scope="module")
def listener(installation):
    """Return somebody with an artist and an album."""
    return Listener(installation.url)


@pytest.fixture(scope="module")
def targets(listener):
    """Return what somebody may give a picture, by collection."""
    album = listener.get(f"/v1/{listener.release('Picture')['album']}")
    return {"albums": album["name"], "artists": album["artist"], "users": "users/me"}


def upload(listener, target, picture):
    """Send a picture as a browser does; answers the artwork once it has ended."""
    opened = listener.post("/v1/artworks", {"target": target, "sizeBytes": len(picture)})
    sent = listener.plain.put(opened["url"], content=picture)
    assert sent.is_success, sent.text
    listener.post(f"/v1/{opened['name']}:complete", {"etag": sent.headers["etag"]})
    return listener.ended(opened["name"])


@pytest.mark.parametrize("collection", ["albums", "artists", "users"])
@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_a_picture_is_public_in_every_size(listener, targets, collection, ending):
    """In both formats, kept for ever by whoever fetched it."""
    artwork = upload(listener, targets[collection], pictures.drawn(ending, 1600, 1600))

    assert artwork["state"] == "COMPLETED", artwork
    assert artwork["blurHash"]
    assert [image["sizePx"] for image in artwork["images"]] == list(SIZES)
    for image in artwork["images"]:
        for uri, kind in ((image["webpUri"], "image/webp"), (image["jpegUri"], "image/jpeg")):
            answer = listener.plain.get(uri)
            assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert len(pictures.pixels(answer.content)) == image["sizePx"]
            assert pictures.corners(answer.content) == QUARTERS


@pytest.mark.parametrize(
    ("collection", "uri", "blur_hash"),
    [("albums", "coverUri", "coverBlurHash"), ("artists", "avatarUri", "avatarBlurHash")],
)
def test_the_newest_picture_is_shown_with_its_album_or_artist(listener, targets, collection, uri, blur_hash):
    """The one before it says that it was replaced."""
    first, second = [upload(listener, targets[collection], pictures.drawn(ending)) for ending in ("png", "webp")]

    shown = listener.get(f"/v1/{targets[collection]}")
    assert shown[uri] == second["images"][2]["webpUri"]
    assert shown[blur_hash] == second["blurHash"]
    assert listener.get(f"/v1/{first['name']}")["state"] == "REPLACED"


def test_the_newest_picture_is_shown_with_its_user(listener):
    """As soon as the user service has heard of it."""
    artwork = upload(listener, "users/me", pictures.drawn("png"))

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        shown = listener.get("/v1/users/me")["avatarUri"]
        if shown == artwork["images"][2]["webpUri"]:
            break
        time.sleep(0.1)
    assert shown == artwork["images"][2]["webpUri"]


ODD = {
    "truncated": (lambda: pictures.drawn("jpg")[:2000], "TRUNCATED"),
    "bomb": (pictures.png_bomb, "TOO_MANY_PIXELS"),
    "svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "UNSUPPORTED_FORMAT"),
    "text": (lambda: b"This is a letter, not a picture.\n", "UNSUPPORTED_FORMAT"),
    "damaged": (lambda: pictures.png(64, 64, b""), "CORRUPT"),
    "animated png": (lambda: pictures.animated("png"), None),
    "animated webp": (lambda: pictures.animated("webp"), None),
    "four inks": (pictures.cmyk_jpeg, None),
    "one pixel": (lambda: pictures.plain("png", 1, 1), None),
    "16 bits": (lambda: pictures.drawn("png", 200, 200, "-pix_fmt", "rgba64be"), None),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_picture_ends_in_its_sizes_or_in_a_reason(listener, targets, installation, name):
    """No worker dies of it."""
    make, reason = ODD[name]

    artwork = upload(listener, targets["albums"], make())

    assert artwork["state"] == ("FAILED" if reason else "COMPLETED"), artwork
    assert artwork.get("failure", {}).get("reason") == reason
    [(attempts, deaths)] = installation.rows(
        "processing", "SELECT attempt, worker_deaths FROM pictures WHERE id = %s", artwork["name"].split("/")[1]
    )
    assert (attempts, deaths) == (1, 0)


def test_the_file_as_it_came_is_gone_and_was_never_public(listener, targets, installation):
    """It may say where it was taken."""
    artwork = upload(listener, targets["users"], pictures.turned(pictures.drawn("jpg"), 1, b"59.9343 N"))

    assert listener.plain.get(f"/uploads/{artwork['name']}").status_code == 405
    deadline = time.monotonic() + 60
    removed = "SELECT discarded_at FROM artworks WHERE id = %s"
    while time.monotonic() < deadline:
        [(discarded_at,)] = installation.rows("catalog", removed, artwork["name"].split("/")[1])
        if discarded_at:
            break
        time.sleep(0.2)
    assert discarded_at
