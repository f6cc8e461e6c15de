"""The Hugging Face Hub: what is in its local cache, and whether asking it would only wait for time-outs."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit


def in_hub_cache(repository: str) -> bool:
    from huggingface_hub import constants

    return (Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}").is_dir()


def hub_is_out_of_reach() -> bool:
    """Whether asking would only wait for time-outs: offline by choice, or no name service and no proxy."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return True
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return False
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except socket.gaierror:
        return True
    return False
