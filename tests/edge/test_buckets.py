"""A store whose names of buckets belong to everybody, so that ours have a prefix there and nowhere else."""

from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from minio import Minio

from services.common.buckets import ALL, AUDIO, IMAGES, PREVIEWS, UPLOADS
from services.common.settings import StorageSettings
from services.common.storage import Storage
from services.provision.objects import make_buckets
from tests.support.edge import running
from tests.support.stores import prefixed

LIFE = timedelta(minutes=5)
PLACES = {
    IMAGES: "/images/{folder}/64.webp",
    PREVIEWS: "/previews/{folder}/preview.m3u8",
    AUDIO: "/media/{token}/audio/tracks/{folder}/64.webp",
}


@pytest.fixture(scope="module")
def settings(engines):
    """Return what an administrator says of a store with a prefix; the buckets are there."""
    settings, store = prefixed(engines)
    make_buckets(store, settings.s3_bucket_prefix)  # once more, which changes nothing
    assert {f"{settings.s3_bucket_prefix}{bucket}" for bucket in ALL} <= {
        bucket.name for bucket in store.list_buckets()
    }
    return settings


@pytest.fixture
async def edge(engines, echo, settings, tmp_path):
    """Return an edge before that store."""
    known = {
        "store_access_key": settings.s3_access_key,
        "store_secret_key": settings.s3_secret_key.get_secret_value(),
        "bucket_prefix": settings.s3_bucket_prefix,
    }
    async with running(engines, echo, tmp_path / "edge", **known) as started:
        yield started


async def test_what_is_stored_is_served_at_the_usual_addresses(edge, echo, settings):
    """Clients never see the prefix."""
    storage, folder = Storage(settings), str(uuid4())
    token = echo.media.token(pfx=f"audio/tracks/{folder}/", play="p")
    await storage.put(IMAGES, f"{folder}/64.webp", b"picture", "image/webp", "public")
    await storage.put(PREVIEWS, f"{folder}/preview.m3u8", b"preview", "application/vnd.apple.mpegurl", "no-store")
    await storage.put(AUDIO, f"tracks/{folder}/64.webp", b"audio", "audio/mp4", "public")

    answers = [await edge.ask("GET", place.format(folder=folder, token=token)) for place in PLACES.values()]

    assert [(answer.status, answer.body) for answer in answers] == [
        (200, b"picture"),
        (200, b"preview"),
        (200, b"audio"),
    ]


async def test_a_master_is_sent_to_the_usual_address(edge, settings):
    """The signature is for the store's own name of the bucket."""
    storage, key = Storage(settings), f"tracks/{uuid4()}"
    upload = await storage.open_multipart(UPLOADS, key, "application/octet-stream")
    address = await storage.presign_part(UPLOADS, key, upload, 1, LIFE)
    answer = await edge.ask("PUT", address, content=b"song")

    assert address.startswith(f"/uploads/{key}?")
    assert answer.status == 200
    assert [part.size_bytes for part in await storage.parts(UPLOADS, key, upload)] == [4]


async def test_amazon_is_asked_at_the_name_that_was_signed_for(settings, monkeypatch):
    """The edge passes a part on to the address in the settings, whatever else the client library would like."""
    amazon = settings.model_copy(
        update={"s3_endpoint": "s3.eu-central-1.amazonaws.com:443", "s3_region": "eu-central-1", "s3_tls": True}
    )
    signed = []
    sign = Minio.get_presigned_url

    def listen(*arguments, **options):
        signed.append(urlsplit(sign(*arguments, **options)))
        return signed[-1].geturl()

    monkeypatch.setattr(Minio, "get_presigned_url", listen)
    address = await Storage(amazon).presign_part(UPLOADS, "song", "1", 1, LIFE)

    assert [url.netloc for url in signed] == ["s3.eu-central-1.amazonaws.com"]
    assert signed[0].path == f"/{settings.s3_bucket_prefix}uploads/song"
    assert address == f"/uploads/song?{signed[0].query}"


@pytest.mark.parametrize("prefix", ["Shared-", "shared", "-", "sha/red-"])
def test_a_prefix_that_no_bucket_can_have_is_refused(settings, prefix):
    """Before anything starts."""
    with pytest.raises(ValueError, match="s3_bucket_prefix"):
        StorageSettings.model_validate(settings.model_dump() | {"s3_bucket_prefix": prefix})
