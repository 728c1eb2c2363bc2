"""Silence before the first sound and after the last one."""

import numpy as np

from services.processing.media.waveform import Samples

LOUDEST_SILENCE = 32  # of 32768: 60 dB below full scale, where a fade cannot be heard any more


class Silence:
    """Looks at mono samples for the first and the last one that can be heard."""

    def __init__(self) -> None:
        self._samples = 0
        self._head: int | None = None
        self._tail = 0

    def add(self, samples: Samples) -> None:
        """Take the next samples of the sound."""
        heard = (samples > LOUDEST_SILENCE) | (samples < -LOUDEST_SILENCE)
        if heard.any():
            if self._head is None:
                self._head = self._samples + int(np.argmax(heard))
            self._tail = int(np.argmax(heard[::-1]))
        else:
            self._tail += len(samples)
        self._samples += len(samples)

    @property
    def head(self) -> int:
        """Samples before the first sound; all of them when there is none."""
        return self._samples if self._head is None else self._head

    @property
    def tail(self) -> int:
        """Samples after the last sound; all of them when there is none."""
        return self._tail
