"""The tables of a report, for the page and for a notebook."""

from showtell.report.page import Cell
from showtell.report.runs import tables


def column(table, name):
    place = list(table[0]).index(name)
    return {row[0]: row[place] for row in table[1:]}


def test_runs_stand_side_by_side(found):
    table = tables.side_by_side(found)
    assert column(table, "encoder")["frozen"] == "lite, frozen" and column(table, "encoder")["trained"].startswith(
        "cnn"
    )
    assert column(table, "decoding")["frozen"].text == "beam 2"
    assert column(table, "decoding")["greedy"] == Cell("greedy", "weights of frozen")
    assert column(table, "training")["frozen"].small == "2 epochs"
    assert column(table, "trained")["trained"].text.endswith(" k")


def test_scores_say_what_is_shown_against_the_best(found):
    table = tables.scores(found)
    best = column(table, "CIDEr-D")[found.best]
    score = found.comparison.scores[found.best]["CIDEr-D"]
    assert best.text == f"{score.value:.3f}" and best.mark == "best" and "worse" not in best.small
    assert best.small == f"{score.interval[0]:.3f} to {score.interval[1]:.3f}"


def test_what_scores_hide_has_a_row_for_each_metric(found):
    table = tables.scores(found, "hidden")
    assert list(table[0]) == ["metric", *found.names]
    names = [row[0] for row in table[1:]]
    assert "CHAIRs (less is better)" in names and "vocabulary" in names and "CIDEr-D" not in names


def test_best_epochs_have_their_epoch(found):
    table = tables.best_epochs(found)
    assert [row[0] for row in table[1:]] == ["frozen", "trained"]
    cell = column(table, "loss")["frozen"]
    assert cell.small in ("epoch 1", "epoch 2") and float(cell.text) > 0


def test_tables_are_drawn_by_a_notebook_and_printed_as_text(found):
    table = tables.Table([["run", "<b>"], ["a & b", Cell("1.5", "1 to 2\nworse", "best")]])
    assert table._repr_html_() == (
        "<table><thead><tr><th>run</th><th>&lt;b&gt;</th></tr></thead>"
        "<tr><td>a &amp; b</td><td><b>1.5</b><br><small>1 to 2<br>worse</small></td></tr></table>"
    )
    assert str(table) == "run    <b>\na & b  1.5"


def test_captions_of_a_photo_stand_below_its_references(found):
    image_id = found.image_ids[0]
    table = tables.captions(found, image_id)
    assert [row[0] for row in table[1:]] == ["reference"] * 5 + found.names
    assert table[-2][2] == (found.caption("greedy", image_id) or "(no words)")
