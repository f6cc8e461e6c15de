"""Score captions from anywhere against human references, as coco-caption does, without Java."""

from showtell.metrics.score import score

candidates = {
    "beach.jpg": "a dog runs along the beach",
    "kitchen.jpg": "a man in a kitchen",
    "gate.jpg": "a plane",
}
references = {
    "beach.jpg": ["A brown dog runs on the beach.", "A dog is running along a sandy beach."],
    "kitchen.jpg": ["A man cooks in the kitchen.", "Someone is cooking dinner."],
    "gate.jpg": ["A large white airplane is parked at the gate.", "An airplane stands at an airport."],
}

scores = score(candidates, references, ["BLEU", "ROUGE-L", "CIDEr-D"])
for name, result in scores.items():
    worst = min(result.per_image, key=result.per_image.__getitem__)
    print(f"{name:8} {result.value:.3f}  (lowest: {worst}, {result.per_image[worst]:.3f})")
print("how CIDEr-D was made:", scores["CIDEr-D"].signature)
