"""A notebook -> the same notebook with the outputs of all its cells, by nbclient."""

import json
import os
from pathlib import Path
from typing import Any

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import write_text

TIMEOUT = 3600  # seconds for one cell


def run_notebook(name: str, beside: str) -> Path:
    """Run all cells in the working folder and write the notebook there. Returns its path.

    `name` is looked for in the working folder, then in the folder of the script `beside`, whose modules the cells may
    import. Raises InputError if there is no such notebook, if a package is missing, or if a cell fails.
    """
    home = Path(beside).resolve().parent
    source = next((path for path in (Path(name), home / name) if path.is_file()), None)
    if source is None:
        raise InputError("does not exist", key=name, advice=f"copy it from {home}")
    notebook = _run(source, home)
    target = Path(source.name)
    write_text(target, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    return target


def _run(source: Path, home: Path) -> Any:
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError as error:
        advice = "pip install 'showtell[notebook]'"
        raise InputError(f"notebooks need the package {error.name}", advice=advice) from None
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(home), before]))
    notebook = nbformat.read(source, as_version=4)
    try:
        NotebookClient(notebook, timeout=TIMEOUT, kernel_name="python3").execute()
    except CellExecutionError as error:
        raise InputError(f"has a cell that fails: {error.ename}: {error.evalue}", key=str(source)) from None
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return notebook
