"""Rules between built parts: whether decoder, encoder and tokenizer fit. They are checked when a decoder is built.

What is known only after the first photo, such as the size of a grid, is not checked here.
"""

from collections.abc import Callable

from showtell.decode.options import check_positions
from showtell.decoders.decoder import Decoder
from showtell.encoders.encoder import Encoder
from showtell.plumbing.errors import RecipeError
from showtell.settings.text import Recipe
from showtell.tokenizers.captions import Tokenizer

Fit = Callable[[Recipe, Encoder, Decoder, Tokenizer], None]


def as_many_regions(recipe: Recipe, encoder: Encoder, decoder: Decoder, tokenizer: Tokenizer) -> None:
    if None not in (decoder.regions, encoder.count) and decoder.regions != encoder.count:
        gives = f"regions {recipe['regions']['name']!r} gives {encoder.count} per image"
        raise RecipeError(
            f"is {decoder.regions}, but {gives}",
            key="decoder.regions",
            value=decoder.regions,
            advice=f"use decoder.regions={encoder.count}",
        )


def boxes_for_a_decoder_that_reads_them(
    recipe: Recipe, encoder: Encoder, decoder: Decoder, tokenizer: Tokenizer
) -> None:
    if decoder.reads_boxes and not encoder.places:
        raise RecipeError(
            f"is {recipe['regions']['file']}, which has no boxes, "
            f"but decoder {recipe['decoder']['name']!r} needs the box of each region",
            key="regions.file",
            value=recipe["regions"]["file"],
            advice="add boxes, or use a decoder without them: decoder.sees=pooled, decoder=attend without "
            "decoder.image_dim, or decoder=topdown",
        )


def attention_for_attend_all(recipe: Recipe, encoder: Encoder, decoder: Decoder, tokenizer: Tokenizer) -> None:
    weight = recipe.get("loss", {}).get("attend_all")
    if weight and not decoder.attends:
        section = recipe["decoder"]
        how = f" with sees={section['sees']}" if "sees" in section else ""
        raise RecipeError(
            f"is {weight}, but decoder {section['name']!r}{how} has no attention",
            key="loss.attend_all",
            value=weight,
            advice="use loss.attend_all=0, or a decoder with attention, such as decoder=attend",
        )


def captions_within_positions(recipe: Recipe, encoder: Encoder, decoder: Decoder, tokenizer: Tokenizer) -> None:
    check_positions(decoder.max_length, recipe.get("decode", {}).get("max_length"))


FITS: tuple[Fit, ...] = (
    as_many_regions,
    boxes_for_a_decoder_that_reads_them,
    attention_for_attend_all,
    captions_within_positions,
)
