"""How to make a request of each public RPC that succeeds for whoever may make it, on something that exists.

What the call uses up is made anew each time; the rest is shared.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import grpc

from services.user.domain import MailKind
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.catalog.v1.manager_service_pb2 import DeleteManagerRequest
from tests.permissions.world import ADMIN_ROLE, Stage
from tests.support.catalog import LONG_AGO
from tests.support.services import PASSWORD, Account

Fields = dict[str, Any]
Recipe = Callable[[Stage], Awaitable[Fields]]


async def nothing(_: Stage) -> Fields:
    """Ask without a word."""
    return {}


async def of_artist(stage: Stage) -> Fields:
    """Name the artist."""
    return {"name": stage.world.artist}


async def within_artist(stage: Stage) -> Fields:
    """Name the artist as the parent."""
    return {"parent": stage.world.artist}


async def of_album(stage: Stage) -> Fields:
    """Name the album, which everybody sees because one of its tracks can be heard."""
    await stage.world.shared("track", stage.world.track)
    return {"name": stage.world.album}


async def of_track(stage: Stage) -> Fields:
    """Name a track that stays."""
    return {"name": await stage.world.shared("track", stage.world.track)}


async def within_owner(stage: Stage) -> Fields:
    """Name the owner as the parent."""
    return {"parent": stage.world.owner.name}


async def of_playback(stage: Stage) -> Fields:
    """Name a playback of the owner."""
    return {"name": (await stage.world.playback()).name}


async def create_artist(_: Stage) -> Fields:
    """Describe an artist."""
    return {"artist": {"display_name": "Queen"}}


async def update_artist(stage: Stage) -> Fields:
    """Describe the artist in other words."""
    return {"artist": {"name": stage.world.artist, "bio": f"Founded in {uuid4()}."}}


async def create_album(stage: Stage) -> Fields:
    """Describe an album."""
    return {"album": {"artist": stage.world.artist, "title": "Innuendo", "release_date": LONG_AGO}}


async def update_album(stage: Stage) -> Fields:
    """Name the album anew."""
    return {"album": {**await of_album(stage), "title": f"Innuendo {uuid4()}"}}


async def create_track(stage: Stage) -> Fields:
    """Describe a track."""
    return {"track": {"album": stage.world.album, "title": "Delilah"}}


async def update_track(stage: Stage) -> Fields:
    """Name a track anew."""
    return {"track": {**await of_track(stage), "title": f"Delilah {uuid4()}"}}


async def delete_track(stage: Stage) -> Fields:
    """Name a track that may go."""
    return {"name": await stage.world.track()}


async def create_manager(stage: Stage) -> Fields:
    """Describe a manager who is not on the team yet; the permission is one that the caller has."""
    newcomer: Account = await stage.world.shared("newcomer", stage.world.sign_up)
    await _remove_manager(stage, newcomer)
    return {
        "parent": stage.world.artist,
        "manager": {"user": newcomer.name, "permissions": [Manager.Permission.MANAGE_TEAM]},
    }


async def delete_manager(stage: Stage) -> Fields:
    """Name a manager who may go."""
    leaving: Account = await stage.world.shared("leaving manager", stage.world.sign_up)
    await _remove_manager(stage, leaving)
    await stage.world.catalog.manager(stage.world.artist, stage.world.founder, leaving, Manager.Permission.MANAGE_TEAM)
    return {"name": _manager(stage, leaving)}


async def _remove_manager(stage: Stage, account: Account) -> None:
    call = stage.world.catalog.managers.DeleteManager(
        DeleteManagerRequest(name=_manager(stage, account)), metadata=stage.world.founder.metadata
    )
    assert await call.code() in (grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND)


def _manager(stage: Stage, account: Account) -> str:
    return f"{stage.world.artist}/managers/{account.id}"


async def create_upload(stage: Stage) -> Fields:
    """Announce a master."""
    return {"track": (await of_track(stage))["name"], "filename": "master.ogg", "size_bytes": 6}


async def get_upload(stage: Stage) -> Fields:
    """Name an upload that stays open."""
    return {"name": (await stage.world.shared("open upload", stage.world.upload)).upload.name}


async def complete_upload(stage: Stage) -> Fields:
    """Name an upload with what has arrived."""
    sent = await stage.world.upload()
    return {"name": sent.upload.name, "parts": sent.parts}


async def abort_upload(stage: Stage) -> Fields:
    """Name an upload that may go."""
    return {"name": (await stage.world.upload()).upload.name}


def target_of(stage: Stage, collection: str) -> str:
    """Name what a picture shows."""
    return {"albums": stage.world.album, "artists": stage.world.artist, "users": stage.world.owner.name}[collection]


def create_artwork(collection: str) -> Recipe:
    """Announce a picture of something in a collection."""

    async def recipe(stage: Stage) -> Fields:
        await stage.world.forget_who_opened_pictures()
        return {"target": target_of(stage, collection), "size_bytes": 6}

    return recipe


def get_artwork(collection: str) -> Recipe:
    """Name a picture of something in a collection."""

    async def recipe(stage: Stage) -> Fields:
        target = target_of(stage, collection)
        sent = await stage.world.shared(f"picture of {collection}", lambda: stage.world.picture(target))
        return {"name": sent.artwork.name}

    return recipe


def complete_artwork(collection: str) -> Recipe:
    """Name a picture of something in a collection with what has arrived."""

    async def recipe(stage: Stage) -> Fields:
        sent = await stage.world.picture(target_of(stage, collection))
        return {"name": sent.artwork.name, "etag": sent.etag}

    return recipe


async def of_job(stage: Stage) -> Fields:
    """Name a job."""
    return {"name": await stage.world.shared("job", stage.world.job)}


async def cancel_job(stage: Stage) -> Fields:
    """Name a job that waits."""
    return {"name": await stage.world.job()}


async def retry_job(stage: Stage) -> Fields:
    """Name a job that has failed."""
    job = await stage.world.job()
    await stage.world.cancel(job)
    return {"name": job}


async def of_dead_letter(stage: Stage) -> Fields:
    """Name a dead letter."""
    return {"name": await stage.world.dead_letter()}


async def start_playback(stage: Stage) -> Fields:
    """Choose a track."""
    return {"track": (await of_track(stage))["name"], "platform": "WEB"}


async def report_playback(stage: Stage) -> Fields:
    """Report a second."""
    return {**await of_playback(stage), "intervals": [{"start": 0, "end": 1}], "sequence": 1}


async def create_user(_: Stage) -> Fields:
    """Describe somebody new."""
    mark = uuid4().hex[:12]
    return {"user": {"email": f"{mark}@example.org", "username": f"new-{mark}"}, "password": PASSWORD}


async def get_user(stage: Stage) -> Fields:
    """Name the owner."""
    return {"name": stage.world.owner.name}


async def lookup_user(stage: Stage) -> Fields:
    """Name the owner as people do."""
    return {"username": stage.world.owner.username}


async def update_user(stage: Stage) -> Fields:
    """Confirm the owner's name."""
    return {"user": {"name": stage.world.owner.name, "username": stage.world.owner.username}}


async def erase_user(stage: Stage) -> Fields:
    """Name an account that its owner erases."""
    return {"name": (await stage.leaving_owner()).name, "password": PASSWORD}


async def change_password(stage: Stage) -> Fields:
    """Name an account whose devices will all be signed out."""
    return {"name": (await stage.leaving_owner()).name, "password": PASSWORD, "new_password": f"{PASSWORD} {uuid4()}"}


async def of_somebody(stage: Stage) -> Fields:
    """Name an account that may go."""
    return {"name": (await stage.world.sign_up()).name}


async def grant_role(stage: Stage) -> Fields:
    """Name somebody without the role."""
    return {**await of_somebody(stage), "role": ADMIN_ROLE}


async def revoke_role(stage: Stage) -> Fields:
    """Name somebody with the role."""
    account: Account = await stage.world.sign_up()
    await stage.world.give_role(account, ADMIN_ROLE)
    return {"name": account.name, "role": ADMIN_ROLE}


async def verify_email(stage: Stage) -> Fields:
    """Carry what a link carries."""
    return {"token": await stage.world.link(MailKind.VERIFY_EMAIL)}


async def request_password_reset(stage: Stage) -> Fields:
    """Know the owner's address."""
    return {"email": stage.world.owner.email}


async def reset_password(stage: Stage) -> Fields:
    """Carry what a link carries."""
    return {"token": await stage.world.link(MailKind.RESET_PASSWORD), "new_password": f"{PASSWORD} {uuid4()}"}


async def create_session(stage: Stage) -> Fields:
    """Know the owner's password."""
    return {"email": stage.world.owner.email, "password": PASSWORD}


async def refresh_session(stage: Stage) -> Fields:
    """Have a refresh token of the owner's."""
    credentials = await stage.world.session(stage.world.owner)
    return {"refresh_token": credentials.refresh_token}


async def revoke_session(stage: Stage) -> Fields:
    """Name a session of the owner's."""
    credentials = await stage.world.session(stage.world.owner)
    return {"name": credentials.session.name}


async def revoke_other_sessions(stage: Stage) -> Fields:
    """Name an account with other sessions."""
    account = await stage.leaving_owner()
    await stage.world.session(account)
    return {"parent": account.name}


RECIPES: dict[str, Recipe] = {
    "UserService.CreateUser": create_user,
    "UserService.GetUser": get_user,
    "UserService.UpdateUser": update_user,
    "UserService.EraseUser": erase_user,
    "UserService.DeleteUser": of_somebody,
    "UserService.LookupUser": lookup_user,
    "UserService.ListUsers": nothing,
    "UserService.GrantRole": grant_role,
    "UserService.RevokeRole": revoke_role,
    "UserService.DisableUser": of_somebody,
    "UserService.EnableUser": of_somebody,
    "UserService.ChangePassword": change_password,
    "UserService.RequestEmailVerification": nothing,
    "UserService.VerifyEmail": verify_email,
    "UserService.RequestPasswordReset": request_password_reset,
    "UserService.ResetPassword": reset_password,
    "SessionService.CreateSession": create_session,
    "SessionService.RefreshSession": refresh_session,
    "SessionService.ListSessions": within_owner,
    "SessionService.RevokeSession": revoke_session,
    "SessionService.RevokeOtherSessions": revoke_other_sessions,
    "AccountEventService.ListAccountEvents": within_owner,
    "KeyService.GetJwks": nothing,
    "ArtistService.CreateArtist": create_artist,
    "ArtistService.GetArtist": of_artist,
    "ArtistService.ListArtists": nothing,
    "ArtistService.UpdateArtist": update_artist,
    "ManagerService.CreateManager": create_manager,
    "ManagerService.ListManagers": within_artist,
    "ManagerService.DeleteManager": delete_manager,
    "ManagerService.ListMyArtists": nothing,
    "AlbumService.CreateAlbum": create_album,
    "AlbumService.GetAlbum": of_album,
    "AlbumService.ListAlbums": nothing,
    "AlbumService.UpdateAlbum": update_album,
    "TrackService.CreateTrack": create_track,
    "TrackService.GetTrack": of_track,
    "TrackService.ListTracks": nothing,
    "TrackService.UpdateTrack": update_track,
    "TrackService.DeleteTrack": delete_track,
    "UploadService.CreateUpload": create_upload,
    "UploadService.GetUpload": get_upload,
    "UploadService.CompleteUpload": complete_upload,
    "UploadService.AbortUpload": abort_upload,
    "ArtworkService.CreateArtwork of albums": create_artwork("albums"),
    "ArtworkService.CreateArtwork of artists": create_artwork("artists"),
    "ArtworkService.CreateArtwork of users": create_artwork("users"),
    "ArtworkService.GetArtwork of albums": get_artwork("albums"),
    "ArtworkService.GetArtwork of artists": get_artwork("artists"),
    "ArtworkService.GetArtwork of users": get_artwork("users"),
    "ArtworkService.CompleteArtwork of albums": complete_artwork("albums"),
    "ArtworkService.CompleteArtwork of artists": complete_artwork("artists"),
    "ArtworkService.CompleteArtwork of users": complete_artwork("users"),
    "GenreService.ListGenres": nothing,
    "JobService.GetJob": of_job,
    "JobService.ListJobs": nothing,
    "JobService.WatchJobs": nothing,
    "JobService.CancelJob": cancel_job,
    "JobService.RetryJob": retry_job,
    "DeadLetterService.ListDeadLetters": nothing,
    "DeadLetterService.ReplayDeadLetter": of_dead_letter,
    "DeadLetterService.DiscardDeadLetter": of_dead_letter,
    "KeyService.GetMediaJwks": nothing,
    "PlaybackService.StartPlayback": start_playback,
    "PlaybackService.ReportPlayback": report_playback,
    "PlaybackService.RenewPlayback": of_playback,
    "HistoryService.ListPlays": within_owner,
}
