"""Publishes the demo catalogue: signs up, makes artists, albums and tracks, uploads masters; twice changes nothing."""

import asyncio
import concurrent.futures
import contextlib
import multiprocessing
import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import typer

from cli.engines.data import DataFolder
from cli.engines.running import running
from cli.engines.secret_files import SecretFiles
from cli.mail import captured
from cli.problem import Problem
from cli.seed.api import Api, Json, Refused
from cli.seed.covers import cover
from cli.seed.masters import CONTENT_TYPES, render
from cli.seed.songs import ARTISTS, Album, Artist, Song

_LISTENER = ("listener@demo.spotilike.dev", "demo-listener")
_LINK = re.compile(r"/verify-email#token=(\S+)")
_MAIL_LOOKS, _MAIL_SECONDS = 40, 0.25
"""A mail leaves within a second; without it a demo account is only asked to confirm its address."""
_UNFINISHED = {"DRAFT", "FAILED"}


def seed(data: DataFolder) -> None:
    """Publish what is missing and print the demo accounts."""
    url = running(data)["url"]
    password = SecretFiles(data.secrets).password("demo_accounts")
    try:
        asyncio.run(_publish(data, url, password))
    except Refused as refused:
        raise Problem(f"The API refused the demo: {refused}") from refused
    except httpx.HTTPError as error:
        raise Problem(f"{url} stopped answering: when it is back, run seed again and it goes on.") from error
    typer.echo(f"\nThe demo is at {url}. All accounts have the password {password}")
    for artist in ARTISTS:
        typer.echo(f"  {artist.email:<32} manages {artist.name}")
    typer.echo(f"  {_LISTENER[0]:<32} listens")


async def _publish(data: DataFolder, url: str, password: str) -> None:
    # Not forked: this process has threads and an event loop.
    spawn = multiprocessing.get_context("spawn")
    studio = concurrent.futures.ProcessPoolExecutor(mp_context=spawn)
    try:
        async with Api.client(url, data.tls / "ca" / "ca.crt") as client:
            anyone = Api(client)
            genres = {item["displayName"]: item["name"] async for item in anyone.items("/v1/genres", "genres")}
            people = [_LISTENER, *((artist.email, artist.username) for artist in ARTISTS)]
            joined = {email: await _sign_in(anyone, email, username, password) for email, username in people}
            apis = {artist.name: joined[artist.email] for artist in ARTISTS}
            await asyncio.gather(*(_confirm(data, anyone, api) for api in joined.values()))
            names = {artist.name: await _artist(apis[artist.name], studio, artist) for artist in ARTISTS}
            releases = [
                _Release(apis[artist.name], studio, artist, album, names, genres)
                for artist in ARTISTS
                for album in artist.albums
            ]
            await asyncio.gather(*(release.publish() for release in releases))
    finally:
        studio.shutdown(cancel_futures=True)


async def _sign_in(anyone: Api, email: str, username: str, password: str) -> Api:
    try:
        await anyone.call("POST", "/v1/users", {"user": {"email": email, "username": username}, "password": password})
    except Refused as refused:
        if refused.reason != "EMAIL_TAKEN":
            raise
    session = await anyone.call("POST", "/v1/sessions", {"email": email, "password": password})
    return anyone.signed_in(session["accessToken"])


async def _confirm(data: DataFolder, anyone: Api, api: Api) -> None:
    """Confirm the address of a demo account by the mail to it, if this machine captures mails."""
    person = await api.call("GET", "/v1/users/me")
    for _ in range(0 if person["isVerified"] else _MAIL_LOOKS):
        links = [link for mail in captured(data, person["email"]) if (link := _LINK.search(mail["text"]))]
        if links:
            with contextlib.suppress(Refused):  # a link of an earlier run may have ended
                await anyone.call("POST", "/v1/users:verifyEmail", {"token": links[-1][1]})
            return
        await asyncio.sleep(_MAIL_SECONDS)


async def _artist(api: Api, studio: concurrent.futures.Executor, artist: Artist) -> str:
    async for managed in api.items("/v1/users/me/artists", "managedArtists"):
        if managed["artist"]["displayName"] == artist.name:
            found: Json = managed["artist"]
            break
    else:
        found = await api.call("POST", "/v1/artists", {"displayName": artist.name, "bio": artist.bio})
    if not found["avatarUri"]:
        await _paint(api, studio, found["name"], artist.name)
    return str(found["name"])


async def _paint(api: Api, studio: concurrent.futures.Executor, target: str, name: str) -> None:
    loop = asyncio.get_running_loop()
    await api.picture(target, await loop.run_in_executor(studio, cover, name))


@dataclass(frozen=True)
class _Release:
    """One album on its way to listeners."""

    api: Api
    studio: concurrent.futures.Executor
    artist: Artist
    album: Album
    artist_names: Mapping[str, str]
    genre_names: Mapping[str, str]

    async def publish(self) -> None:
        """Make the album and everything on it that is missing."""
        album = await self._album()
        existing = {item["title"]: item async for item in self.api.items("/v1/tracks", "tracks", album=album)}
        songs = enumerate(self.album.songs, start=1)
        await asyncio.gather(*(self._track(album, number, song, existing.get(song.title)) for number, song in songs))

    async def _album(self) -> str:
        artist = self.artist_names[self.artist.name]
        async for item in self.api.items("/v1/albums", "albums", artist=artist):
            if item["title"] == self.album.title:
                found: Json = item
                break
        else:
            year, month, day = self.album.released
            date = {"year": year, "month": month, "day": day}
            body = {"artist": artist, "title": self.album.title, "releaseDate": date, "type": self.album.kind}
            found = await self.api.call("POST", "/v1/albums", body)
        if not found["coverUri"]:
            await _paint(self.api, self.studio, found["name"], self.album.title)
        return str(found["name"])

    async def _track(self, album: str, number: int, song: Song, existing: Json | None) -> None:
        label = f"{self.artist.name}: {song.title}"
        track = existing or await self.api.call("POST", "/v1/tracks", self._draft(album, number, song))
        if track["state"] == "READY":
            typer.echo(f"{label} is there")
            return
        job = track.get("job")
        if track["state"] in _UNFINISHED:
            loop = asyncio.get_running_loop()
            master = await loop.run_in_executor(self.studio, render, song, self.artist.name, self.album.title)
            filename = f"{number:02} {song.title}.{song.master}"
            job = await self.api.upload(track["name"], filename, CONTENT_TYPES[song.master], master)
        await self.api.processed(str(job))
        typer.echo(f"{label} is ready")

    def _draft(self, album: str, number: int, song: Song) -> Json:
        credited = [{"artist": self.artist_names[self.artist.name], "type": "MAIN", "displayOrder": 1}]
        if song.featuring:
            credited.append({"artist": self.artist_names[song.featuring], "type": "FEATURED", "displayOrder": 2})
        genres = [self.genre_names[genre] for genre in song.genres]
        return {"album": album, "title": song.title, "trackNumber": number, "artists": credited, "genres": genres}
