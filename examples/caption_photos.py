"""Caption photos with `tiny`, the packaged model: `python examples/caption_photos.py [PHOTO ...]`.

Without photos of yours it takes some that come inside scikit-image (pip install 'showtell[demo]').
"""

import sys
from pathlib import Path

import showtell

photos = [Path(name) for name in sys.argv[1:]]
if not photos:
    import skimage

    photos = [Path(skimage.__file__).parent / "data" / name for name in ("chelsea.png", "coffee.png")]
captioner = showtell.load("tiny")
captions = captioner.caption(photos)
others = captioner.caption(photos, name="sample", top_p=0.9, seed=1)  # the same model, decoded in another way
for photo, caption, other in zip(photos, captions, others, strict=True):
    print(f"{photo.name}: {caption.text} (log probability {caption.log_prob:.1f})")
    print(f"{'':{len(photo.name)}}  or, drawn by chance: {other.text}")
