"""The Hugging Face Hub: what is in its local cache, whether it can be reached, and a local copy of a repository."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from showtell.plumbing.errors import InputError


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


def local_copy(name: str, key: str, files: Sequence[str]) -> Path:
    """A folder as it is, or a local copy of those `files` of the Hub's repository of that name.

    `key` is the option that names it, for errors. Raises InputError if there is neither.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise InputError(
            f"is {name}, which is no folder here", key=key, value=name, takes="a folder, or a Hub id such as OWNER/NAME"
        )
    from huggingface_hub import snapshot_download

    if not in_hub_cache(name) and hub_is_out_of_reach():
        wrong = f"is {name}, which is not in the local cache, and the Hugging Face Hub is out of reach"
        raise InputError(wrong, key=key, value=name, advice=f"download it elsewhere and give {key}=FOLDER")
    try:
        return Path(snapshot_download(name, allow_patterns=list(files)))
    except Exception as error:  # the Hub's library raises its own errors, those of its transport, and OSError
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"is {name}, which the Hugging Face Hub does not give: {reason}", key=key, value=name
        ) from error
