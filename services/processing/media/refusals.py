"""Why a master was not turned into audio: stable words, and a sentence for the artist."""

from enum import StrEnum


class Reason(StrEnum):
    """The stable reasons of a failed job that are about its master or its encoder."""

    EMPTY = "EMPTY"
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"
    UNSUPPORTED_CONTAINER = "UNSUPPORTED_CONTAINER"
    NO_AUDIO_STREAM = "NO_AUDIO_STREAM"
    TRUNCATED = "TRUNCATED"
    CORRUPT = "CORRUPT"
    CHECKSUM_MISMATCH = "CHECKSUM_MISMATCH"
    ENCODER_CRASHED = "ENCODER_CRASHED"
    CANCELLED = "CANCELLED"


MESSAGES = {
    Reason.EMPTY: "The file holds no sound. Export it again and upload the new file.",
    Reason.TOO_SHORT: "The sound is shorter than one second. Upload a longer recording.",
    Reason.TOO_LONG: "The recording is longer than is allowed. Split it into several tracks.",
    Reason.UNSUPPORTED_CONTAINER: "This is not an audio format we know. "
    "Upload WAV, AIFF, FLAC, ALAC, AAC, MP3, Ogg Vorbis or Opus.",
    Reason.NO_AUDIO_STREAM: "The file has no sound in it, only a picture or text. Upload the recording itself.",
    Reason.TRUNCATED: "The end of the file is missing. Export it again, check that it is whole, and upload it again.",
    Reason.CORRUPT: "Parts of the file are damaged. Export it again, check that it plays well, and upload it again.",
    Reason.CHECKSUM_MISMATCH: "The file changed on its way to us. Upload it again.",
    Reason.ENCODER_CRASHED: "The encoder stopped unexpectedly. If it happens again, upload another format.",
    Reason.CANCELLED: "Processing was cancelled. Upload the master again when you are ready.",
}
TRANSIENT = frozenset({Reason.CHECKSUM_MISMATCH, Reason.ENCODER_CRASHED})


class TranscodeError(Exception):
    """A master was not turned into audio.

    `message` is for the artist, `log` holds FFmpeg's words, at most 16 KiB. `transient` says that the same master may
    pass next time.
    """

    def __init__(self, reason: Reason, message: str = "", log: str = "") -> None:
        self.reason = reason
        self.message = message or MESSAGES[reason]
        self.transient = reason in TRANSIENT
        self.log = log
        super().__init__(f"{reason}: {self.message}")
