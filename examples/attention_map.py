"""Where each word of a caption came from: numbers, and a picture. `python examples/attention_map.py [PHOTO [MODEL]]`.

Without a photo of yours it takes one that comes inside scikit-image (pip install 'showtell[demo]').
"""

import sys
from pathlib import Path

import showtell

if len(sys.argv) > 1:
    photo = Path(sys.argv[1])
else:
    import skimage

    photo = Path(skimage.__file__).parent / "data" / "chelsea.png"
model = sys.argv[2] if len(sys.argv) > 2 else "tiny"

image = showtell.open_image(photo)  # upright, RGB
found = showtell.explain_photo(showtell.load(model), image)
for word, weights in zip(found.words, found.maps, strict=True):
    left, top, right, bottom = found.boxes[weights.argmax()].tolist()  # fractions of the photo
    print(f"{word:14} {weights.max():4.0%} from x {left:.2f} to {right:.2f}, y {top:.2f} to {bottom:.2f}")
showtell.attention_figure(image, found).savefig("attention.png")
print(f"{found.text!r}: attention.png")
