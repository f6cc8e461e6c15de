"""The Hugging Face Hub: which names are its own, what is in its local cache, and copies of its files."""

import os
import re
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import nearest
from showtell.plumbing.reading import open_file

HUB = "hf:"  # begins a name that is always a Hub id, for example hf:openai/clip-vit-base-patch32
PATHS = (".", "/", "~", "runs/")  # begin a name that is always a path
PAGE = "cannot be fetched: a web page came in its place, which is not kept"
LOG_IN = "log in to the network that you are on, then try again"
REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)


def place_of(name: str | Path, packaged: Iterable[str] = ()) -> Path | str:
    """Where a model is: the Path of a folder, or the id of a Hub repository as a str.

    1. `hf:owner/name` is a Hub id. 2. A folder that exists is a path. 3. A name is a path too if it begins with one of
    PATHS, has two slashes, or if its first part is a folder here. 4. Another `owner/name` is a Hub id.

    So `runs/b6` and `models/blip/v2` are paths, and `Salesforce/blip-vqa-base` is a Hub id, unless there is a folder
    `Salesforce` here. Raises InputError for a path that is no folder, and for a single word, which may be a typing
    error for a `packaged` model.
    """
    text = str(name)
    if text.startswith(HUB):
        return _repository(text)
    folder = Path(os.path.expanduser(text))  # noqa: PTH111 - Path raises for a user that there is not
    if text and folder.is_dir():
        return folder
    hint = f"a Hub id is OWNER/NAME, or {HUB}OWNER/NAME"
    if folder.is_file():
        raise InputError("is a file", key=text, advice="name the folder of a model")
    if is_path(text):
        raise InputError("is no folder", key=text, advice=hint)
    if "/" not in text:
        wrong = f"is no model: there is no folder {text!r} here" if text else "is empty: it names no model"
        named = [*packaged]
        raise InputError(wrong, key=text or "the name", takes=named or None, taker="packaged are",
                         near=nearest(text, named), advice=hint)  # fmt: skip
    return _repository(f"{HUB}{text}")


def is_path(text: str) -> bool:
    return text.startswith(PATHS) or text.count("/") > 1 or ("/" in text and Path(text.split("/")[0]).is_dir())


def _repository(name: str) -> str:
    repository = name.removeprefix(HUB)
    if not REPOSITORY.fullmatch(repository) or ".." in repository or "--" in repository:
        raise InputError("is no Hub id", key=name, takes=f"{HUB}OWNER/NAME", advice="letters, digits, '-', '_', '.'")
    return repository


def hub_file(repository: str, names: Sequence[str], revision: str | None = None) -> Path | None:
    """A local copy of the first of these files that the repository has, or None if it has none of them.

    A file in the cache lies in `snapshots/COMMIT/`. Raises InputError if the Hub cannot say: it is out of reach and
    the cache has none of them, there is no such repository, or the answer is not the Hub's.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    drop_pages()  # a file that came with a login page in its place is fetched again
    offline, unknown = hub_is_out_of_reach(), ""
    for name in names:
        try:
            file = Path(hf_hub_download(repository, name, revision=revision, local_files_only=offline))
        except LocalEntryNotFoundError as error:
            cause = "" if offline or error.__cause__ is None else f" ({on_one_line(error.__cause__)})"
            unknown = unknown or f"is not in the local cache, and the Hugging Face Hub is out of reach{cause}"
            offline = True  # it was asked often enough; another file may still be in the cache
            continue
        except EntryNotFoundError:
            continue
        except Exception as error:  # a proxy that answers with a web page makes the library raise nearly anything
            raise InputError(_reason(error), key=f"{HUB}{repository}", advice=_advice(revision)) from error
        if drop_pages():
            raise InputError(PAGE, key=f"{HUB}{repository}", advice=LOG_IN)
        return file
    if unknown:
        raise InputError(unknown, key=f"{HUB}{repository}", advice="name a local folder instead")
    return None


def fetch(repository: str, files: Sequence[str]) -> Path:
    """A local copy of those files of a repository. Raises InputError; `wrong` is the end of a sentence."""
    from huggingface_hub import snapshot_download

    drop_pages()
    try:
        folder = Path(snapshot_download(repository, allow_patterns=list(files)))
    except Exception as error:  # a proxy that answers with a web page makes the library raise nearly anything
        pages = drop_pages()
        raise InputError(PAGE if pages else _reason(error), key=f"{HUB}{repository}", advice="try again") from error
    if drop_pages():
        raise InputError(PAGE, key=f"{HUB}{repository}", advice=LOG_IN)
    return folder


def drop_pages() -> int:
    """Delete the files of the local cache that are web pages, such as the login page of a hotel's network.

    A library that fetches by itself keeps such a page as if it were the model. Returns how many there were.
    """
    from huggingface_hub import constants

    pages = 0
    for path in Path(constants.HF_HUB_CACHE).glob("models--*/snapshots/*/*"):
        if path.suffix not in (".md", ".html") and _is_page(path):
            path.resolve().unlink(missing_ok=True)  # the content, to which the name is a link
            path.unlink(missing_ok=True)
            pages += 1
    return pages


def _is_page(path: Path) -> bool:
    try:
        with open_file(path) as file:
            return file.read(200).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))
    except (InputError, OSError):
        return False


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, GatedRepoError):
        return "is open only to people who accepted its terms on its page; then log in with `hf auth login`"
    if isinstance(error, RepositoryNotFoundError):
        return "is not on the Hugging Face Hub, or it is private"
    if isinstance(error, RevisionNotFoundError):
        return "has no such revision on the Hugging Face Hub"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, HfHubHTTPError) and status is not None:
        return f"cannot be fetched: the Hugging Face Hub answers with status {status}"
    return f"cannot be fetched: the Hugging Face Hub gives no sensible answer ({on_one_line(error)})"


def _advice(revision: str | None) -> str:
    return "check the name" if revision is None else f"check the name and the revision {revision}"


def on_one_line(error: BaseException) -> str:
    """A library's error on one line, as much of it as a person reads."""
    text = " ".join(str(error).split()) or type(error).__name__
    if "weights_only" in text or "weights only" in text.lower():  # torch advises to execute the file
        return "a file of weights that can run code, which is never executed"
    return text if len(text) <= 200 else f"{text[:197]}..."


def in_hub_cache(repository: str) -> bool:
    from huggingface_hub import constants

    return (Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}").is_dir()


def hub_is_out_of_reach() -> bool:
    """Whether a request would only wait for a time-out: HF_HUB_OFFLINE is set, or there is no DNS and no proxy."""
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


def local_copy(name: str, key: str, files: Sequence[str], instead: str | None = None) -> Path:
    """A folder as it is, or a local copy of those `files` of the Hub repository of that name (see `place_of`).

    `key` is the option that names it, and `instead` what else to do without the Hub, for errors. Raises InputError if
    there is neither.
    """
    try:
        place = place_of(name)
    except InputError as error:
        takes = f"a folder, or a Hub id such as OWNER/NAME or {HUB}OWNER/NAME"
        raise InputError(f"is {name}, which {error.wrong}", key=key, value=name, takes=takes) from None
    if isinstance(place, Path):
        return place
    if not in_hub_cache(place) and hub_is_out_of_reach():
        wrong = f"is {name}, which is not in the local cache, and the Hugging Face Hub is out of reach"
        advice = f"download it elsewhere and give {key}=FOLDER" + (f", or {instead}" if instead is not None else "")
        raise InputError(wrong, key=key, value=name, advice=advice)
    try:
        return fetch(place, files)
    except InputError as error:
        raise InputError(f"is {name}, which {error.wrong}", key=key, value=name, advice=error.advice) from error
