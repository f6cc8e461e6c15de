"""Tiny captioners of random weights in transformers' own layout: configs, a vocabulary of some hundred words, a folder.

`MADE` has one function for each architecture, which writes a folder as `save_pretrained` does; `folder` keeps each.
"""

import importlib.util
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch

from showtell.plumbing.torchvision_repair import repair_torchvision

repair_torchvision()  # before transformers is imported

SENTENCES = [
    "a dog runs on the beach with a red ball",
    "two cats sit on a chair and look at the window",
    "a child in a blue shirt plays football in the park",
    "USER: Write one short sentence that describes the photo. ASSISTANT:",
    "The image shows an old man who rides a horse near some green trees",
]
CHAT = (
    "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
VISION = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 3}
LLAMA = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
}
SIDE = 28


def word_pieces(folder: Path):
    """BERT's tokenizer, as BLIP and GIT have it."""
    from transformers import BertTokenizerFast

    words = sorted({word for text in SENTENCES for word in text.lower().replace(".", " .").replace(":", " :").split()})
    letters = [f"{mark}{letter}" for mark in ("", "##") for letter in "abcdefghijklmnopqrstuvwxyz"]
    vocabulary = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *words]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    return BertTokenizerFast(str(folder / "vocab.txt"))


def byte_pairs(*special: str, **more: str):
    """A byte-level BPE of 400 tokens, as GPT-2, Llama 3 and Qwen have it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    ends = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[*ends.values(), *special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, **ends, **more)


def ids(tokenizer) -> dict[str, int]:
    return {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}


def drawn(network, seed: int = 7):
    """Weights so wide that each photo gets a caption of its own; numpy's stream is the same on every machine."""
    stream = np.random.RandomState(seed)
    with torch.no_grad():
        for name, weight in sorted(network.named_parameters()):
            values = torch.from_numpy(stream.standard_normal(tuple(weight.shape))).float().reshape(weight.shape)
            plain = weight.ndim < 2
            weight.copy_((1.0 if plain and name.endswith("weight") else 0.0) + values * (0.05 if plain else 0.25))
    return network


def square(kind):
    return kind(size={"height": SIDE, "width": SIDE})


def blip(folder: Path) -> Path:
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    tokenizer = word_pieces(folder)
    ends = {"bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3, "pad_token_id": 0}
    text = {**VISION, "encoder_hidden_size": 24, "vocab_size": len(tokenizer), "max_position_embeddings": 64, **ends}
    config = BlipConfig(text_config=text, vision_config={**VISION, "image_size": SIDE, "patch_size": 7})
    drawn(BlipForConditionalGeneration(config)).save_pretrained(folder)
    BlipProcessor(square(BlipImageProcessor), tokenizer).save_pretrained(folder)
    return folder


def git(folder: Path) -> Path:
    from transformers import CLIPImageProcessor, GitConfig, GitForCausalLM, GitProcessor

    tokenizer = word_pieces(folder)
    ends = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    vision = {**VISION, "image_size": SIDE, "patch_size": 7}
    config = GitConfig(vision_config=vision, **VISION, vocab_size=len(tokenizer), max_position_embeddings=64, **ends)
    drawn(GitForCausalLM(config)).save_pretrained(folder)
    images = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    GitProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def vision_encoder_decoder(folder: Path) -> Path:
    """As nlpconnect/vit-gpt2-image-captioning: no processor of both, and bos, eos and pad are one id."""
    from transformers import (
        GPT2Config,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessor,
    )

    tokenizer = byte_pairs()
    tokenizer.pad_token = tokenizer.bos_token = tokenizer.eos_token
    end = tokenizer.eos_token_id
    vit = ViTConfig(**VISION, image_size=SIDE, patch_size=7)
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64, "vocab_size": len(tokenizer)}
    gpt2 = GPT2Config(**sizes, add_cross_attention=True, bos_token_id=end, eos_token_id=end)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(vit, gpt2)
    config.decoder_start_token_id = config.pad_token_id = config.eos_token_id = end
    network = drawn(VisionEncoderDecoderModel(config=config))
    network.generation_config.update(decoder_start_token_id=end, pad_token_id=end, eos_token_id=end, bos_token_id=end)
    network.save_pretrained(folder)
    square(ViTImageProcessor).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def llava(folder: Path) -> Path:
    from transformers import CLIPImageProcessor, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    tokenizer = byte_pairs("<image>")
    config = LlavaConfig(
        vision_config={"model_type": "clip_vision_model", **VISION, "image_size": SIDE, "patch_size": 7},
        text_config={"model_type": "llama", **LLAMA, "vocab_size": len(tokenizer), **ids(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    drawn(LlavaForConditionalGeneration(config)).save_pretrained(folder)
    images = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    LlavaProcessor(
        images,
        tokenizer,
        patch_size=7,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    ).save_pretrained(folder)
    return folder


def idefics3(folder: Path) -> Path:
    """Photos become tiles: another shape, another number of visual tokens."""
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3ImageProcessor, Idefics3Processor

    places = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    tokenizer = byte_pairs("<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>", *places)
    config = Idefics3Config(
        vision_config={**VISION, "image_size": SIDE, "patch_size": 7},
        text_config={"model_type": "llama", **LLAMA, "vocab_size": len(tokenizer), **ids(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    drawn(Idefics3ForConditionalGeneration(config)).save_pretrained(folder)
    images = Idefics3ImageProcessor(size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE})
    Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=CHAT).save_pretrained(folder)
    return folder


def paligemma(folder: Path) -> Path:
    """A task text, "caption en", and no chat template."""
    from transformers import (
        PaliGemmaConfig,
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        SiglipImageProcessor,
    )

    tokenizer = byte_pairs("<image>")
    images = SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    images.image_seq_length = 16
    processor = PaliGemmaProcessor(images, tokenizer)
    config = PaliGemmaConfig(
        vision_config={"model_type": "siglip_vision_model", **VISION, "image_size": SIDE, "patch_size": 7},
        text_config={"model_type": "gemma", **LLAMA, "head_dim": 8, "vocab_size": len(tokenizer), **ids(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        projection_dim=16,
    )
    drawn(PaliGemmaForConditionalGeneration(config)).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def qwen2_vl(folder: Path) -> Path:
    """Photos keep their shape, and the folder has a processor of films too."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLImageProcessor, Qwen2VLProcessor
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

    marks = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    tokenizer = byte_pairs(*marks)
    start, end, image, video = (tokenizer.convert_tokens_to_ids(mark) for mark in marks)
    config = Qwen2VLConfig(
        text_config={
            **LLAMA,
            "vocab_size": len(tokenizer),
            **ids(tokenizer),
            "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
        },
        vision_config={
            "depth": 2,
            "embed_dim": 24,
            "hidden_size": 16,
            "num_heads": 3,
            "mlp_ratio": 2,
            "patch_size": 7,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "in_channels": 3,
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    drawn(Qwen2VLForConditionalGeneration(config)).save_pretrained(folder)
    sizes = {"size": {"shortest_edge": 14 * 14, "longest_edge": 14 * 14 * 8}, "patch_size": 7}
    template = CHAT.replace("<image>", "".join(marks[0:1]) + marks[2] + marks[1])
    Qwen2VLProcessor(
        Qwen2VLImageProcessor(**sizes), tokenizer, Qwen2VLVideoProcessor(**sizes), chat_template=template
    ).save_pretrained(folder)
    return folder


def blip2(folder: Path) -> Path:
    from transformers import Blip2Config, Blip2ForConditionalGeneration, Blip2Processor, BlipImageProcessor

    tokenizer = byte_pairs("<image>")
    opt = {
        "model_type": "opt",
        "hidden_size": 16,
        "ffn_dim": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "word_embed_proj_dim": 16,
        "max_position_embeddings": 128,
        "vocab_size": len(tokenizer),
        **ids(tokenizer),
    }
    config = Blip2Config(
        vision_config={**VISION, "image_size": SIDE, "patch_size": 7},
        qformer_config={**VISION, "encoder_hidden_size": 24, "vocab_size": len(tokenizer)},
        text_config=opt,
        num_query_tokens=3,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    drawn(Blip2ForConditionalGeneration(config)).save_pretrained(folder)
    Blip2Processor(square(BlipImageProcessor), tokenizer, num_query_tokens=3).save_pretrained(folder)
    return folder


def florence2(folder: Path) -> Path:
    """A task token, `<CAPTION>`, which its processor writes out as a question."""
    from transformers import CLIPImageProcessor, Florence2Config, Florence2ForConditionalGeneration, Florence2Processor

    tokenizer = byte_pairs("<image>", extra_special_tokens={"image_token": "<image>"})
    images = CLIPImageProcessor(size={"height": 32, "width": 32}, do_center_crop=False)
    images.image_seq_length = 4 * 4 + 1
    bart = {
        "model_type": "bart",
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "max_position_embeddings": 128,
        "vocab_size": len(tokenizer),
        **ids(tokenizer),
        "decoder_start_token_id": tokenizer.eos_token_id,
        "forced_bos_token_id": None,
    }
    vision = {
        "embed_dim": [8, 12],
        "num_heads": [2, 2],
        "num_groups": [2, 2],
        "depths": [1, 1],
        "window_size": 4,
        "patch_size": [7, 3],
        "patch_stride": [4, 2],
        "patch_padding": [3, 1],
        "patch_prenorm": [False, True],
        "projection_dim": 16,
        "max_position_embeddings": 20,
    }
    config = Florence2Config(
        text_config=bart,
        vision_config=vision,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        is_encoder_decoder=True,
    )
    network = drawn(Florence2ForConditionalGeneration(config))
    network.save_pretrained(folder)
    Florence2Processor(images, tokenizer).save_pretrained(folder)
    return folder


def smolvlm(folder: Path) -> Path:
    """As Idefics3, with a processor of films, which it wants even for photos; needs num2words."""
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration, SmolVLMImageProcessor, SmolVLMProcessor
    from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor

    places = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    marks = ("<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>")
    names = {"image_token": marks[0], "fake_image_token": marks[1], "end_of_utterance_token": marks[2]}
    tokenizer = byte_pairs(*marks, *places, extra_special_tokens=names | {"global_image_token": marks[3]})
    config = SmolVLMConfig(
        vision_config={**VISION, "image_size": SIDE, "patch_size": 7},
        text_config={"model_type": "llama", **LLAMA, "vocab_size": len(tokenizer), **ids(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    drawn(SmolVLMForConditionalGeneration(config)).save_pretrained(folder)
    sizes = {"size": {"longest_edge": 2 * SIDE}, "max_image_size": {"longest_edge": SIDE}}
    sampling = {"fps": 1, "max_frames": 4, "video_size": {"longest_edge": SIDE}}
    films = SmolVLMVideoProcessor(**sizes, num_frames=4, fps=1, video_sampling=sampling)
    SmolVLMProcessor(
        SmolVLMImageProcessor(**sizes), tokenizer, films, image_seq_len=4, chat_template=CHAT
    ).save_pretrained(folder)
    return folder


MADE = {
    "blip": blip,
    "git": git,
    "vision-encoder-decoder": vision_encoder_decoder,
    "llava": llava,
    "idefics3": idefics3,
    "paligemma": paligemma,
    "qwen2_vl": qwen2_vl,
    "blip-2": blip2,
    "florence2": florence2,
}
if importlib.util.find_spec("num2words"):
    MADE["smolvlm"] = smolvlm
_kept = tempfile.TemporaryDirectory(prefix="showtell-tiny-")


@cache
def folder(name: str) -> Path:
    """Made once a process; not to be changed."""
    return MADE[name](Path(_kept.name) / name)
