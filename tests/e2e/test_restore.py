"""Everything may be lost but a backup: then the song plays again. `./spotilike drill` is the same with figures."""

import pytest
from minio import Minio

from cli.backup import objects
from cli.engines.data import DataFolder
from cli.engines.running import running_postgres
from cli.engines.secret_files import SecretFiles
from services.provision.objects import credentials
from tests.e2e.song import Listener
from tests.nemesis.drill import WRITES, drill
from tests.support import audio
from tests.support.databases import run_module
from tests.support.engines import Run
from tests.support.installation import Installation, command, start, stop

pytestmark = pytest.mark.xdist_group("restore")


@pytest.fixture(scope="module")
def run():
    """Return a run that nobody else uses."""
    run = Run.begin()
    yield run
    stop(run)
    run.end()


@pytest.fixture(scope="module")
def outcome(run):
    """Return what came of a drill; the restored installation runs."""
    return drill(run)


@pytest.fixture
def restored(run, outcome) -> Installation:
    """Return the installation after the drill."""
    assert outcome.kept
    return start(run)


@pytest.fixture
def store(restored) -> Minio:
    """Return its object store, as its administrator."""
    ports = restored.part("seaweedfs")["ports"]
    admin = credentials(SecretFiles(DataFolder(restored.data).secrets), "admin")
    return objects.client(f"127.0.0.1:{ports['s3']}", admin)


def recover_catalog(installation: Installation) -> None:
    """Do what a cluster's job does after a restore, as the catalog."""
    data = DataFolder(installation.data)
    keys = credentials(SecretFiles(data.secrets), "catalog")
    ports = installation.part("seaweedfs")["ports"]
    run_module(
        "services.provision",
        "recover",
        "catalog",
        SPOTILIKE_DATABASE_URL=running_postgres(data).url("catalog_app", "catalog_db"),
        SPOTILIKE_S3_ENDPOINT=f"127.0.0.1:{ports['s3']}",
        **keys.settings,
    )


def test_a_song_plays_again_after_everything_was_lost(outcome):
    """Byte for byte; what was written before the backup is there, and nothing else."""
    print(f"\n{outcome}")  # noqa: T201 (the figures of the drill)
    assert outcome.is_the_same
    assert (outcome.kept, outcome.found) == (WRITES, 0)


def test_a_restore_signs_everybody_out(outcome):
    """Neither an access token nor a refresh token from before opens anything."""
    assert outcome.refused == [401, 401]


def test_who_was_erased_after_the_backup_is_erased_again(outcome):
    """The list of the erased lies beside the backup, not in it."""
    assert outcome.is_erased


def test_a_second_backup_copies_only_what_is_new(restored, run, tmp_path):
    """Objects never change: what the folder holds already is not read again, and what is gone is not kept."""
    folder = str(run.folder / "again")
    assert "objects: 0 copied" not in restored.command("backup", folder).stdout
    listener = Listener(restored.url)
    track = listener.release()["name"]
    listener.job(listener.upload(track, audio.save(tmp_path / "new.ogg", audio.noise(2)))["job"])
    before = len(list((run.folder / "again").glob("databases-*")))
    second, third = (restored.command("backup", folder) for _ in range(2))
    assert (second.returncode, third.returncode, before) == (0, 0, 1)
    assert "objects: 0 copied" not in second.stdout
    assert "objects: 0 copied" in third.stdout
    assert len(list((run.folder / "again").glob("databases-*"))) == 1


def test_a_damaged_backup_changes_nothing(restored, run, tmp_path):
    """Every file is read and compared before the first one is used."""
    folder = run.folder / "damaged"
    assert restored.command("backup", str(folder)).returncode == 0
    file = next(folder.glob("objects/audio/**/*.mp4"))
    file.write_bytes(file.read_bytes()[:-1])
    refused = command("restore", str(folder), "--data", str(tmp_path / "data"))
    assert refused.returncode == 1
    assert f"The backup is damaged and nothing was changed: {file.relative_to(folder)}." in refused.stderr
    assert not (tmp_path / "data").exists()


def test_a_data_folder_in_use_is_not_restored_into(restored, run):
    """Whoever wants that has to move it away first."""
    refused = restored.command("restore", str(run.folder / "backup"))
    assert refused.returncode == 1
    assert "is in use: move it away, or choose an empty folder" in refused.stderr


def test_a_track_that_has_lost_a_file_is_withdrawn_and_its_artist_reads_why(restored, store, tmp_path):
    """Listeners are never offered what cannot be played."""
    listener = Listener(restored.url)
    track = listener.release()["name"]
    listener.job(listener.upload(track, audio.save(tmp_path / "lost.ogg", audio.noise(2)))["job"])
    listener.playable(track)
    lost = next(found.object_name for found in store.list_objects("audio", f"{track}/", recursive=True))
    store.remove_object("audio", str(lost))
    recover_catalog(restored)
    seen = listener.get(f"/v1/{track}")
    assert (seen["state"], seen["failure"]["reason"]) == ("FAILED", "FILES_LOST")
