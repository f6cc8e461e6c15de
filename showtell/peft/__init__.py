"""Which weights of a decoder with a language model train. A new way is one file and one line here.

Each is a function of a built decoder that freezes weights and inserts new parts, before saved weights are restored. The
keyword-only arguments are the options of the recipe's section `peft`.
"""

from collections.abc import Callable
from typing import Any

from showtell.peft.adapter import adapter
from showtell.peft.freeze import everything, nothing
from showtell.peft.lora import lora
from showtell.peft.prefix import prefix, prompt

PEFT: dict[str, Callable[..., Any]] = {
    "all": everything,
    "none": nothing,
    "adapter": adapter,
    "prefix": prefix,
    "prompt": prompt,
    "lora": lora,
}
