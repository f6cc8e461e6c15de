"""A captioner that looks at several views of a photo: each word by the mean of what it would say of each.

What data augmentation is in training, this is for photos to be captioned ("test-time augmentation"). With n views it
takes n times as long, encoding and decoding.
"""

from showtell.cache import turned_encoders
from showtell.captioners.mean import MeanDecoder
from showtell.decoders.decoder import Decoder
from showtell.encoders.encoder import Encoder
from showtell.encoders.joined import Joined
from showtell.features import Seen, each


def encoder_of_views(encoder: Encoder, views: str) -> Encoder:
    """`encoder` for the upright photo and for each view of VIEWS[views], those of the upright photo first.

    Raises RecipeError if features were computed by others, who saw upright photos alone.
    """
    parts = encoder.encoders if encoder.several else [encoder]
    turned = zip(*(turned_encoders(part, views, "captioner.views") for part in parts), strict=True)
    of_views = [each for of_view in turned for each in of_view]
    return Joined([*parts, *of_views]) if of_views else encoder


def decoder_of_views(decoder: Decoder, features: Seen) -> Decoder:
    """What reads such features: the decoder itself, or where they are of several views, its mean over them."""
    members, sees = (decoder.parts, decoder.sees) if isinstance(decoder, MeanDecoder) else ([decoder], (0,))
    encoders = 1 + max(sees)
    views = len(each(features)) // encoders
    if views == 1:
        return decoder
    return MeanDecoder(members * views, [view * encoders + part for view in range(views) for part in sees]).eval()
