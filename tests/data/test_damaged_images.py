"""Files damaged byte by byte, read by a process of little memory: `SHOWTELL_FUZZ=2000` asks for more of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = int(os.environ.get("SHOWTELL_FUZZ", 300))


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited and measured as Linux does")
def test_damaged_files_give_a_picture_or_a_reason_within_time_and_memory(tmp_path: Path) -> None:
    job = [sys.executable, "-m", "tests.data.damage", str(COUNT), str(tmp_path)]
    done = subprocess.run(job, capture_output=True, text=True, timeout=60 + COUNT)
    assert (done.returncode, done.stderr) == (0, "")  # neither a crash nor noise
    found = json.loads(done.stdout)
    assert sum(found["counted"].values()) == COUNT and found["slowest"] < 2
    assert "nothing" not in found["counted"] and len(found["counted"]) < 12, "reasons that cannot be counted together"
    assert found["counted"]["a picture"] > COUNT / 10 and found["counted"]["truncated"] > COUNT / 20
