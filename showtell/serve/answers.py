"""The form of requests and answers, for OpenAPI and for people who read it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

EXAMPLE: dict[str, Any] = {
    "captions": [
        {
            "text": "a dog runs on the beach",
            "log_prob": -5.31,
            "alternatives": [{"text": "a dog running on the beach", "log_prob": -5.62}],
            "words": [{"word": "a", "log_prob": -0.21}, {"word": "dog", "log_prob": -0.35}],
        }
    ],
    "model": "tiny",
    "signature": "tiny|beam(num_beams=5)|showtell 0.2.0",
    "ms": 84,
}


class Word(BaseModel):
    """A word of a caption."""

    word: str
    log_prob: float = Field(description="Natural logarithm of the word's probability: -0.22 is 80 percent.")
    map: list[float] | None = Field(None, description="With `maps`: the attention on each box; it sums to 1.")


class Alternative(BaseModel):
    """Another caption that the search found."""

    text: str
    log_prob: float | None


class Caption(BaseModel):
    """The caption of one photo. `log_prob` adds up its words and its end."""

    text: str
    log_prob: float | None
    alternatives: list[Alternative]
    words: list[Word]
    boxes: list[tuple[float, float, float, float]] | None = Field(
        None, description="With `maps`: left, top, right, bottom of each visual token, as fractions of the photo."
    )


class Captions(BaseModel):
    """One caption for each file, in the order of the files."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    captions: list[Caption]
    model: str
    signature: str = Field(description="All that the captions depend on: model, decoding, version.")
    ms: int = Field(description="Milliseconds from the complete request to the answer.")


class Problem(BaseModel):
    """What is wrong, in one line."""

    model_config = ConfigDict(json_schema_extra={"example": {"error": "notes.txt: not an image"}})

    error: str


STATUSES = {
    408: "The body took too long.",
    413: "The body, a photo's pixels, or the number of photos is over the limit.",
    415: "A file is not a photo of a format that is taken.",
    422: "A photo is damaged, or an option is wrong.",
    503: "The model is not loaded yet, or the queue is full; see Retry-After.",
    504: "The captions took too long.",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": meaning} for status, meaning in STATUSES.items()
}
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "One to eight photos: JPEG, PNG, WebP, GIF or BMP.",
                        },
                        "model": {"type": "string", "description": "A model of GET /v1/models; default the first."},
                        "maps": {"type": "boolean", "description": "Also return where each word looked."},
                        "decode": {"type": "string", "description": "The strategy, for example greedy."},
                        "decode.num_beams": {"type": "integer", "example": 3},
                        "decode.must": {"type": "array", "items": {"type": "string"}, "example": ["dog"]},
                        "decode.must_not": {"type": "array", "items": {"type": "string"}},
                    },
                    "additionalProperties": {
                        "type": "string",
                        "description": "decode.OPTION, any option of docs/decoding.md.",
                    },
                }
            }
        },
    }
}
CHAT = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["messages"],
                    "properties": {
                        "model": {"type": "string"},
                        "messages": {"type": "array", "items": {"type": "object"}},
                        "stream": {"type": "boolean"},
                    },
                },
                "example": {
                    "model": "tiny",
                    "messages": [
                        {
                            "role": "user",
                            "content": [
                                {"type": "text", "text": "Describe this photo."},
                                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AAQ..."}},
                            ],
                        }
                    ],
                },
            }
        },
    }
}
