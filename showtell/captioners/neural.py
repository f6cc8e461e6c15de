"""Encoder + decoder + tokenizer: photos -> captions, and the folder that holds such a captioner.

`save_pretrained`, `from_pretrained` and `push_to_hub` mean what they mean for Hugging Face's models.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from showtell import checkpoint
from showtell.cache import encode
from showtell.captioners.caption import Caption
from showtell.data.images import open_image, upright_rgb
from showtell.decoders.decoder import Decoder
from showtell.encoders.encoder import Encoder
from showtell.encoders.timm_weights import hub_is_out_of_reach
from showtell.errors import InputError
from showtell.features import Features
from showtell.recipe import build, check, options, part
from showtell.settings import Recipe
from showtell.tokenizers import TOKENIZERS
from showtell.tokenizers.captions import Tokenizer

CARD = """---
library_name: showtell
pipeline_tag: image-to-text
---
An image captioner made with Showtell: `{encoder}` encoder, `{decoder}` decoder.

```python
import showtell
showtell.load("FOLDER_OR_HUB_ID").caption(["photo.jpg"])
```
"""


class Neural:
    """A captioner of three parts; `recipe` is the checked dict that they were built from."""

    def __init__(self, encoder: Encoder, decoder: Decoder, tokenizer: Tokenizer, recipe: Recipe) -> None:
        self.encoder, self.decoder, self.tokenizer, self.recipe = encoder, decoder, tokenizer, recipe

    @classmethod
    def build(cls, recipe: Recipe, encoder: Encoder, tokenizer: Tokenizer) -> "Neural":
        """The recipe's decoder, with the weights it starts from, between the two."""
        return cls(encoder, build(recipe, "decoder", encoder.dim, len(tokenizer)), tokenizer, recipe)

    @property
    def device(self) -> torch.device:
        return next(self.decoder.parameters()).device

    def to(self, device: torch.device | str) -> "Neural":
        self.encoder.to(device)
        self.decoder.to(device)
        return self

    def caption(self, images: Sequence[str | Path | Image.Image], **decode: Any) -> list[Caption]:
        """One caption for each path or PIL image, with the recipe's decoding or changes such as `num_beams=3`."""
        if isinstance(images, str | Path | Image.Image):
            raise InputError("caption takes a list of photos, also where it is one: caption([photo])")
        opened = [upright_rgb(i) if isinstance(i, Image.Image) else self.open(Path(i)) for i in images]
        return self.describe(encode(self.encoder, opened), **decode) if opened else []

    def open(self, path: Path) -> Image.Image:
        """The photo at a size that the encoder has use for; InputError where it cannot be read."""
        return open_image(path, at_least=2 * self.encoder.image_size)

    def describe(self, features: Features, **decode: Any) -> list[Caption]:
        """The likeliest caption of each image from its features."""
        section = self.decoding(**decode)
        self.decoder.eval()
        found = part({"decode": section}, "decode")(
            self.decoder, features.to(self.device), self.tokenizer.special, **options({"decode": section}, "decode")
        )
        tokens, mask, log_probs = (x[:, 0].tolist() for x in (found.tokens, found.mask, found.log_probs))
        rows = [[t for t, real in zip(*row, strict=True) if real] for row in zip(tokens, mask, strict=True)]
        return [Caption(self._text(row), row, log_prob) for row, log_prob in zip(rows, log_probs, strict=True)]

    def decoding(self, **changes: Any) -> dict[str, Any]:
        """The recipe's decode section with changes; another `name` drops the other strategy's options."""
        section = self.recipe["decode"]
        kept = section if changes.get("name", section["name"]) == section["name"] else {}
        return kept | changes

    def _text(self, tokens: list[int]) -> str:
        end = [self.tokenizer.special.eos] if tokens[-1] == self.tokenizer.special.eos else []
        return self.tokenizer.decode(tokens[1 : len(tokens) - len(end)])

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> None:
        """Write recipe, tokenizer, weights and a card; the frozen encoder's weights stay with their source.

        `half` writes weights as fp16, half the size; they are read back as fp32.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.save_settings(folder)
        weights = checkpoint.weights(self.encoder, self.decoder)
        if half:
            weights = {
                name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in weights.items()
            }
        checkpoint.write_tensors(folder / checkpoint.MODEL, weights)
        if not (folder / "README.md").exists():
            names = {section: self.recipe[section]["name"] for section in ("encoder", "decoder")}
            checkpoint.write_text(folder / "README.md", CARD.format(**names))

    def save_settings(self, folder: Path) -> None:
        checkpoint.write_recipe(folder, self.recipe)
        self.tokenizer.save(folder)

    @classmethod
    def from_pretrained(cls, name_or_folder: str | Path) -> "Neural":
        """A run or saved folder, or the id of a Hugging Face Hub repository.

        Raises InputError where there is none, or where its weights do not fit its recipe.
        """
        folder = Path(name_or_folder)
        if not folder.is_dir():
            folder = _from_hub(str(name_or_folder))
        recipe = check(checkpoint.read_recipe(folder))
        tokenizer = TOKENIZERS[recipe["tokenizer"]["name"]].load(folder)
        captioner = cls.build(recipe, build(recipe, "encoder"), tokenizer)
        tensors = checkpoint.read_tensors(folder / checkpoint.MODEL)
        checkpoint.restore(captioner.encoder, captioner.decoder, tensors, str(folder / checkpoint.MODEL))
        captioner.decoder.eval()
        captioner.encoder.eval()
        return captioner

    def push_to_hub(self, repo_id: str, *, private: bool | None = None, token: str | None = None) -> str:
        """Save to a repository of the Hugging Face Hub; returns its URL."""
        import tempfile

        from huggingface_hub import HfApi

        if hub_is_out_of_reach():
            raise InputError("the Hugging Face Hub is out of reach; save_pretrained(FOLDER) writes the same to disk")
        api = HfApi(token=token)
        url = api.create_repo(repo_id, private=private, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message="Upload a Showtell captioner")
        return str(url)


def _from_hub(repo_id: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repo_id, allow_patterns=["*.yaml", "*.json", "*.safetensors", "*.model", "*.md"]))
    except LocalEntryNotFoundError:
        reason = "it is out of reach, and no copy is kept here"
    except HFValidationError:
        reason = "its models are called OWNER/NAME"
    except (HfHubHTTPError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    raise InputError(f"{repo_id!r} is no run folder, and the Hugging Face Hub gives no such model: {reason}")
