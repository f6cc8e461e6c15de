"""Which photos a report shows."""

from showtell.report.failures import KINDS
from showtell.report.runs import choose


def test_the_middle_photos_are_neither_the_best_nor_the_worst(found):
    ordered = sorted(found.image_ids, key=lambda image_id: (found.mean(image_id), image_id))
    captions = {found.caption(found.best, image_id) for image_id in ordered}
    if len(captions) == len(ordered):
        assert choose.middle(found, 2) == ordered[2:4]
    assert len(choose.middle(found, 5)) == 5 and len(choose.middle(found, 99)) == len(ordered)


def test_of_equal_captions_one_is_shown_first(found):
    few = choose.middle(found, 3)
    captions = {found.caption(found.best, image_id) for image_id in found.image_ids}
    assert len({found.caption(found.best, image_id) for image_id in few}) == min(3, len(captions))


def test_best_and_worst_go_by_any_metric_and_share_no_photo(found):
    for metric in ("CIDEr-D", "repeats-2"):
        best, worst = choose.extremes(found, "frozen", metric, 9)
        values = found.values(metric)["frozen"]
        assert len(best) == len(worst) == 3 and not {*best} & {*worst}
        high, low = (max(values[i] for i in best), min(values[i] for i in worst))
        assert high >= low if metric == "CIDEr-D" else high <= max(values[i] for i in worst)
    assert choose.extremes(found, "frozen", "CLIPScore", 3) == ([], [])


def test_disagreement_is_the_distance_of_scores(found):
    some = choose.disagreeing(found, 3)
    apart = [choose.apart(found, image_id) for image_id in some]
    assert apart == sorted(apart, reverse=True) and apart[0] == max(choose.apart(found, i) for i in found.image_ids)


def test_failures_are_counted_by_kind_and_run(found):
    every = choose.failing(found)
    assert list(every) == list(KINDS) and all(list(by_run) == found.names for by_run in every.values())
    assert every["cut"]["greedy"]  # its captions may have five words


def test_examples_come_from_all_runs_and_no_photo_twice():
    by_run = {"a": {"1": "", "2": "", "3": ""}, "b": {"1": "", "4": ""}, "c": {}}
    assert choose.examples(by_run, 4) == [("a", "1"), ("b", "4"), ("a", "2"), ("a", "3")]
    assert choose.examples(by_run, 2) == [("a", "1"), ("b", "4")]
    assert choose.examples({"a": {}}, 2) == []
