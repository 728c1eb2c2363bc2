"""Every secret of one machine may be replaced: docs/operations.md says how."""

import shutil

import httpx
import pytest
from cryptography.fernet import Fernet

from cli.engines.data import DataFolder
from tests.e2e.song import PASSWORD, Listener, hear
from tests.support import audio
from tests.support.engines import Run
from tests.support.installation import start, stop

OPENS_WHAT_IS_SEALED = ("user_key_encryption", "streaming_key_encryption")
KNOWN_TO_THE_SERVER = ("postgres_postgres",)


@pytest.fixture
def run():
    """Return a run that nobody else uses."""
    run = Run.begin()
    yield run
    stop(run)
    run.end()


def replace_secrets(data: DataFolder) -> set[str]:
    """Do what the table of the page says while nothing runs; answers the names of what was made before."""
    made = data.secrets / "made"
    for name in OPENS_WHAT_IS_SEALED:
        file = made / name
        file.write_text(f"{Fernet.generate_key().decode()},{file.read_text()}")
    replaced = [file for file in made.iterdir() if file.name not in {*OPENS_WHAT_IS_SEALED, *KNOWN_TO_THE_SERVER}]
    replaced += (data.path / "nats" / "seeds").glob("*.nk")
    values = {file.read_text() for file in replaced}
    for file in replaced:
        file.unlink()
    shutil.rmtree(data.tls)
    return values


def test_every_secret_is_made_anew_and_nobody_is_signed_out(run):
    """What was uploaded plays on, a session goes on, and a new upload passes all parts."""
    installation = start(run, "--workers", "1")
    listener, data = Listener(installation.url), DataFolder(installation.data)
    song = audio.save(run.folder / "song.ogg", audio.noise(2))
    track = listener.release()["name"]
    listener.job(listener.upload(track, song)["job"])
    listener.playable(track)
    session = listener.post("/v1/sessions", {"email": listener.account["email"], "password": PASSWORD})
    installation.command("down")
    values = replace_secrets(data)
    again = installation.command("up", "--detach", "--port", str(installation.port), "--workers", "1")
    assert again.returncode == 0, again.stderr

    with httpx.Client(base_url=installation.url) as device:
        fresh = device.post("/v1/sessions:refresh", json={"refreshToken": session["refreshToken"]}).json()
        device.headers["Authorization"] = f"Bearer {fresh['accessToken']}"
        playback = device.post("/v1/playbacks", json={"track": track}).json()
    later = Listener(installation.url)
    assert hear(later, playback["manifestUri"], playback["mediaToken"])[0].data
    assert later.job(later.upload(later.release()["name"], song)["job"])["state"] == "COMPLETED"
    made = [*(data.secrets / "made").iterdir(), *(data.path / "nats" / "seeds").glob("*.nk")]
    assert len(values) > len(OPENS_WHAT_IS_SEALED + KNOWN_TO_THE_SERVER)
    assert not {file.read_text() for file in made} & values
