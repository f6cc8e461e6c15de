"""Where model 6 looked for each word of a photo's caption."""

import torch


@torch.no_grad()
def attention_of(model, image):
    """One normalised photo -> its words, their maps (T N), and the boxes (N 4) of the visual tokens.

    The decoder reads the finished caption once more: the map of a word is that of the step that chose it.
    """
    words = model.generate_image_caption_tokens(image=image)
    ids = [*model.special.begin, *(int(model.vocabulary.to_index(word)) for word in words)]
    features = model.look(image)
    memory, state = model.caption_generator.start(features)
    tokens = torch.tensor([[ids[: max(len(words), 1)]]], device=image.device)
    maps = model.caption_generator(memory, state, tokens, attention=True).attention
    if maps is None:
        raise ValueError("this model reads the photo as one vector, so it has no attention; model 6 has")
    return words, maps[0, 0, : len(words)].mean(1).cpu(), features.boxes[0].cpu()
