"""Why a picture could not be used: stable words, and a sentence for whoever uploaded it."""

from enum import StrEnum

from services.processing.domain import CRASHED, Failure, RefusedError


class Reason(StrEnum):
    """The stable reasons of a failed picture that are about its file or its encoder."""

    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    TRUNCATED = "TRUNCATED"
    CORRUPT = "CORRUPT"
    ENCODER_CRASHED = CRASHED


MESSAGES = {
    Reason.UNSUPPORTED_FORMAT: "This is not a picture that we know. Upload a PNG, JPEG or WebP.",
    Reason.TOO_MANY_PIXELS: "The picture is too large. Scale it down to at most 8192 pixels a side and 50 million in "
    "all, 33 million with 16 bits a channel, and upload it again.",
    Reason.TRUNCATED: "The end of the file is missing. Export the picture again and upload the new file.",
    Reason.CORRUPT: "Parts of the file are damaged. Export the picture again and upload the new file.",
    Reason.ENCODER_CRASHED: "The picture could not be read. If it happens again, upload another format.",
}


def refusal(reason: Reason, log: str = "") -> RefusedError:
    """Say why a picture is not taken; only a crash may go better next time."""
    return RefusedError(Failure(reason, MESSAGES[reason], log, transient=reason is Reason.ENCODER_CRASHED))
