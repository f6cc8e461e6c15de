"""Score captions from anywhere against human references, as coco-caption does, without Java."""

import showtell

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

found = showtell.score(candidates, references, ["BLEU", "ROUGE-L", "CIDEr-D"])
for name, result in found["scores"].items():
    values = {image_id: scores[name] for image_id, scores in found["per_image"].items()}
    worst = min(values, key=values.__getitem__)
    print(f"{name:8} {result['value']:.3f}  (lowest: {worst}, {values[worst]:.3f})")
print("how CIDEr-D was made:", found["scores"]["CIDEr-D"]["signature"])
