"""Loss curves: what stands in them, how large they are, and that they can be embedded."""

import base64
import io

import matplotlib
from PIL import Image

from showtell.report.figures import data_uri, loss_figure, picture_uri, png

ROWS = [
    {"step": 20, "epoch": 0, "loss": 3.0},
    {"step": 20, "event": "resumed"},
    {"step": 40, "epoch": 1, "loss": 2.0, "val_loss": 2.5},
    {"step": 60, "epoch": 1, "loss": 1.5},
    {"step": 80, "epoch": 2, "loss": 1.25, "val_loss": 2.25},
]


def size(figure) -> tuple[int, int]:
    return Image.open(io.BytesIO(png(figure))).size


def test_loss_curves_leave_out_what_is_no_loss():
    lines = {line.get_label(): line.get_xydata().tolist() for line in loss_figure({"run": ROWS}).axes[0].lines}
    assert lines == {
        "training": [[20, 3.0], [40, 2.0], [60, 1.5], [80, 1.25]],
        "validation": [[40, 2.5], [80, 2.25]],
    }


def test_several_runs_are_told_apart_by_name_and_colour():
    axes = loss_figure({"bern-1": ROWS, "bern-2": ROWS}).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["bern-1", "bern-2"]
    assert len({line.get_color() for line in axes.lines}) == 2


def test_the_first_steps_do_not_flatten_the_rest():
    falling = [{"step": step, "loss": 8.0 if step < 2 else 2.0 - step / 100} for step in range(20)]
    bottom, top = loss_figure({"run": falling}).axes[0].get_ylim()
    assert bottom < 1.81
    assert 1.98 < top < 2.1


def test_a_run_without_any_rows_gives_an_empty_figure():
    assert size(loss_figure({"run": []})) == size(loss_figure({"run": ROWS}))


def test_the_dark_figure_is_dark():
    light, dark = (Image.open(io.BytesIO(png(loss_figure({"run": ROWS}, theme)))) for theme in ("light", "dark"))
    assert min(light.convert("RGB").getpixel((2, 2))) > 200
    assert max(dark.convert("RGB").getpixel((2, 2))) < 60


def test_figures_leave_no_trace_in_pyplot():
    before = matplotlib.get_backend()
    png(loss_figure({"run": ROWS}))
    assert matplotlib.get_backend() == before


def test_a_data_uri_holds_the_picture():
    kind, _, content = picture_uri(Image.new("RGB", (30, 20), "red")).partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (30, 20)
    assert data_uri(b"\x01\x02") == "data:image/png;base64,AQI="
