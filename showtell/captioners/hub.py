"""A name -> the folder that holds the captioner: on this disk, or downloaded from the Hugging Face Hub."""

from pathlib import Path

from showtell.plumbing.errors import InputError

FILES = ["*.yaml", "*.json", "*.safetensors", "*.model", "*.md"]  # nothing that could be executed


def folder_of(name_or_folder: str | Path) -> Path:
    """A folder as it is, or a copy of the Hub's repository of that id; InputError where there is neither."""
    folder = Path(name_or_folder)
    return folder if folder.is_dir() else _from_hub(str(name_or_folder))


def _from_hub(repo_id: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repo_id, allow_patterns=FILES))
    except LocalEntryNotFoundError:
        reason = "it is out of reach, and no copy is kept here"
    except HFValidationError:
        reason = "its models are called OWNER/NAME"
    except (HfHubHTTPError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    raise InputError(f"{repo_id!r} is no run folder, and the Hugging Face Hub gives no such model: {reason}")
