"""Test-time augmentation: a captioner reads several views of a photo and takes the mean of the words' probabilities.

For example, the photo gives `dog` .6 and its mirror image gives .4: the mean is .5. With n views, encoding and decoding
take n times as long.
"""

from showtell.cache import turned_encoders
from showtell.captioners.mean import MeanDecoder
from showtell.decoders.decoder import Decoder
from showtell.encoders.encoder import Encoder
from showtell.encoders.joined import Joined
from showtell.features import Seen, each


def encoder_of_views(encoder: Encoder, views: str) -> Encoder:
    """An encoder that gives the features of the upright photo, then of each view of VIEWS[views].

    Raises RecipeError if the features are precomputed, because they were computed from upright photos only.
    """
    parts = encoder.encoders if encoder.several else [encoder]
    turned = zip(*(turned_encoders(part, views, "captioner.views") for part in parts), strict=True)
    of_views = [each for of_view in turned for each in of_view]
    return Joined([*parts, *of_views]) if of_views else encoder


def decoder_of_views(decoder: Decoder, features: Seen) -> Decoder:
    """The decoder for such features: itself for one view, a MeanDecoder over the views for several."""
    members, sees = (decoder.parts, decoder.sees) if isinstance(decoder, MeanDecoder) else ([decoder], (0,))
    encoders = 1 + max(sees)
    views = len(each(features)) // encoders
    if views == 1:
        return decoder
    return MeanDecoder(members * views, [view * encoders + part for view in range(views) for part in sees]).eval()
