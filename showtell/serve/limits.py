"""What one client may ask of the server, and the refusal when it asks for more."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes and pixels, times in seconds."""

    body: int = 10_000_000
    body_time: float = 20.0  # from the request's first line to the end of its body
    photos: int = 8  # in one request
    pixels: int = 40_000_000  # width x height, by the file's header
    decoded: int = 48_000_000  # pixels of all photos that wait decoded
    opening_time: float = 5.0  # for one file to become a picture
    texts: int = 100_000_000  # bytes of all JSON bodies that are read at this moment
    queue: int = 64  # photos that wait for the model
    batch: int = 16  # photos that the model captions together
    wait: float = 0.010  # how long the first photo of a batch waits for others
    answer_time: float = 30.0  # from the complete request to its captions
    words: int = 500  # characters of one decoding option


CAPTIONS = 256  # that are written at once: photos x beams x banks of `must`
MOST = {  # values that a client may choose; for lists, their length
    "num_beams": 16,
    "num_beam_groups": 16,
    "num_return_sequences": 16,
    "max_length": 100,
    "min_length": 100,
    "must": 8,
    "must_not": 16,
}


class Refused(Exception):
    """An answer without captions: the HTTP status, one line for the client, and when it may try again."""

    def __init__(self, status: int, line: str, retry_after: int | None = None) -> None:
        super().__init__(line)
        self.status, self.line, self.retry_after = status, line, retry_after
