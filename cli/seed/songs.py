"""The demo catalogue: who plays what. A song is a few bars of chords and the instruments which play over them."""

from dataclasses import dataclass, field

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)


@dataclass(frozen=True)
class Song:
    """One track and how it sounds."""

    title: str
    style: str
    """A name of `arrangement.STYLES`."""
    key: int
    """The MIDI note of the tonic."""
    scale: tuple[int, ...]
    tempo: int
    """Beats a minute."""
    bars: int
    chords: tuple[int, ...]
    """Degrees of the scale, one a bar, repeated."""
    master: str
    """Format of the file which is uploaded: wav, flac or ogg."""
    genres: tuple[str, ...]
    featuring: str | None = None
    """Display name of another demo artist."""


@dataclass(frozen=True)
class Album:
    """One release."""

    title: str
    kind: str
    released: tuple[int, int, int]
    songs: tuple[Song, ...]


@dataclass(frozen=True)
class Artist:
    """One demo artist with an account of their own."""

    name: str
    username: str
    bio: str
    albums: tuple[Album, ...] = field(default=())

    @property
    def email(self) -> str:
        """Return the address this artist signs in with."""
        return f"{self.username}@demo.spotilike.dev"


NOVA = "Nova Quell"
BEREZA = "Берёза и Дым"
VOLT = "Kilo Volt"

ARTISTS = (
    Artist(
        name=NOVA,
        username="nova-quell",
        bio="Slow music for wide rooms: glass bells, long chords, no hurry.",
        albums=(
            Album(
                "Slow Light",
                "ALBUM",
                (2025, 3, 14),
                (
                    Song("First Window", "drift", 57, MAJOR, 60, 10, (0, 4, 5, 3), "flac", ("Ambient",)),
                    Song("Tidal Clock", "drift", 62, MINOR, 66, 12, (0, 5, 2, 6), "wav", ("Ambient", "Electronic")),
                    Song("Paper Moons", "bells", 60, MAJOR, 72, 12, (0, 5, 3, 4), "ogg", ("Ambient",), BEREZA),
                ),
            ),
            Album(
                "Harbour at Five",
                "EP",
                (2025, 9, 5),
                (
                    Song("Cranes", "bells", 64, MINOR, 80, 12, (0, 3, 5, 4), "ogg", ("Ambient", "Classical")),
                    Song("Low Tide", "drift", 55, MINOR, 56, 8, (0, 6, 5, 4), "flac", ("Ambient",)),
                ),
            ),
        ),
    ),
    Artist(
        name=BEREZA,
        username="bereza-i-dym",
        bio="Две гитары, фисгармония и то, что осталось от лета.",
        albums=(
            Album(
                "Письма без марки",
                "ALBUM",
                (2024, 11, 1),
                (
                    Song("Тихий двор", "folk", 57, MINOR, 96, 16, (0, 3, 6, 2), "flac", ("Folk",)),
                    Song("Яблоки в августе", "waltz", 55, MAJOR, 132, 24, (0, 3, 4, 0), "ogg", ("Folk", "Acoustic")),
                    Song(
                        "Последняя электричка", "folk", 52, MINOR, 112, 20, (0, 5, 2, 6), "wav", ("Folk", "Rock"), VOLT
                    ),
                ),
            ),
            Album(
                "Первый снег",
                "SINGLE",
                (2024, 12, 1),
                (Song("Первый снег", "waltz", 60, MINOR, 120, 20, (0, 5, 3, 4), "flac", ("Folk",), NOVA),),
            ),
        ),
    ),
    Artist(
        name=VOLT,
        username="kilo-volt",
        bio="Four on the floor from the last seat of the night bus.",
        albums=(
            Album(
                "Night Bus",
                "EP",
                (2025, 2, 20),
                (
                    Song("Depot", "house", 57, MINOR, 122, 18, (0, 5, 2, 6), "wav", ("Electronic", "House")),
                    Song("Window Seat", "house", 53, MAJOR, 118, 18, (0, 4, 5, 3), "ogg", ("Electronic",), NOVA),
                    Song("Terminal Loop", "beat", 50, MINOR, 88, 14, (0, 3, 0, 4), "flac", ("Hip-Hop", "Electronic")),
                ),
            ),
        ),
    ),
)
