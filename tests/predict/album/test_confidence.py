"""Confidence: the mean per word, and the curve that says what it meant on validation."""

import numpy as np
import pytest

from showtell.captioners.caption import Caption
from showtell.loading import load, packaged_models
from showtell.plumbing.errors import InputError
from showtell.predict.album.confidence import FILE, calibrate, fit, mean_log_prob, read_calibration


def test_the_curve_finds_the_one_that_made_the_outcomes():
    random = np.random.default_rng(0)
    means = random.uniform(-2, 0, 4000)
    good = random.uniform(size=4000) < 1 / (1 + np.exp(-(3 * means + 2)))
    slope, offset = fit(means.tolist(), good.tolist())
    assert slope == pytest.approx(3, abs=0.3) and offset == pytest.approx(2, abs=0.3)
    assert fit([-1.0, -2.0] * 50, [False, True] * 50)[0] == 0  # never turned round
    assert np.isfinite(fit([-1.0, -2.0] * 50, [True, False] * 50)).all()  # separable, and yet finite


def test_a_run_keeps_its_curve_and_another_decoding_has_none(frozen_run, tmp_path):
    captioner = load(frozen_run)
    captions = {str(n): Caption("a b", [1, 5, 6, 2], -n / 10) for n in range(40)}
    assert mean_log_prob(captioner, captions["30"]) == pytest.approx(-1)  # a, b and the end; not the beginning
    assert mean_log_prob(captioner, Caption("copied")) is None
    scores = {image_id: 40 - int(image_id) for image_id in captions}
    assert calibrate(tmp_path, captioner, captions, dict([*scores.items()][:9])) is None
    made = calibrate(tmp_path, captioner, captions, scores)
    assert made(-0.1) > 0.9 > 0.1 > made(-1.3) and read_calibration(tmp_path, captioner) == made
    captioner.decode = {**captioner.decode, "num_beams": 1}
    assert read_calibration(tmp_path, captioner) is None
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        read_calibration(tmp_path, captioner)


def test_the_packaged_model_has_its_curve_on_every_machine():
    curve = read_calibration(packaged_models()["tiny"], load("tiny"))
    assert curve is not None and curve(-0.1) > curve(-1.0)
