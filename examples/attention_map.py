"""Where each word of a caption looked: numbers, and a picture. `python examples/attention_map.py [PHOTO [MODEL]]`."""

import sys
from pathlib import Path

import showtell
from showtell.data.images import open_image
from showtell.demo.demo import find_demo_photos
from showtell.explain.attention import explain
from showtell.report.figures import attention_figure

photo = Path(sys.argv[1]) if len(sys.argv) > 1 else find_demo_photos()["chelsea.png"]
model = sys.argv[2] if len(sys.argv) > 2 else "tiny"

image = open_image(photo)  # upright, RGB
found = explain(showtell.load(model), image)
for word, weights in zip(found.words, found.maps, strict=True):
    left, top, right, bottom = found.boxes[weights.argmax()].tolist()  # fractions of the photo
    print(f"{word:14} {weights.max():4.0%} on x {left:.2f} to {right:.2f}, y {top:.2f} to {bottom:.2f}")
attention_figure(image, found).savefig("attention.png")
print(f"{found.text!r}: attention.png")
