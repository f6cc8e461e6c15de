"""A captioner that learns from another's probabilities: what it learns, and which teachers are refused."""

import shutil

import pytest
import torch
from PIL import Image
from rich.console import Console
from torch.testing import assert_close

from showtell import checkpoint
from showtell.cache import encode, open_augmented
from showtell.data.record import Record
from showtell.decoders import Recurrent
from showtell.encoders import Lite
from showtell.encoders.turned import VIEWS
from showtell.features import Features
from showtell.loading import load
from showtell.losses.cross_entropy import cross_entropy
from showtell.plumbing.errors import InputError, RecipeError
from showtell.recipe.build import build_encoder
from showtell.recipe.check import check
from showtell.tokenizers.captions import Special, batch
from showtell.training.loop import train
from showtell.training.teacher import Teacher
from showtell.training.together import make_ensemble
from tests.small import FROZEN, RECIPE, small_recipe, train_small
from tests.training.killed import equal, killed

QUIET = Console(quiet=True)
CAPTIONS = batch([[[3, 4, 5], [6]], [[7, 8, 10, 3, 3], []]], Special(begin=(1,), eos=2, pad=0))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = tmp_path_factory.mktemp("teacher") / "run"
    train_small(run, *FROZEN, "train.max_steps=4")
    return run


@pytest.fixture
def read():
    """A decoder without dropout, and the features of two images."""
    torch.manual_seed(0)
    tokens = torch.randn(2, 5, 6)
    features = Features(tokens, torch.ones(2, 5, dtype=torch.bool), tokens.mean(1), torch.rand(2, 5, 4))
    return Recurrent(6, 11, embedding_dim=9, dim=8).eval(), features


@pytest.mark.slow
def test_who_is_taught_begins_with_the_weights_of_who_is_not(run, tmp_path):
    begun = []
    for name, taught in {"alone": [], "taught": [f"loss.teacher={run}"]}.items():
        train_small(tmp_path / name, *FROZEN, "train.max_steps=1", "train.lr=1e-30", "train.weight_decay=0", *taught)
        begun.append(checkpoint.read_tensors(tmp_path / name / "last" / "model.safetensors"))
    for name, tensor in begun[0].items():
        assert_close(tensor, begun[1][name], rtol=0, atol=1e-20)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_its_share_of_the_loss_is_the_cross_entropy_of_a_plain_loop(read, share):
    decoder, features = read
    taught = torch.randn(2, 2, CAPTIONS.tokens.shape[-1] - 1, 11).log_softmax(-1)
    memory, state = decoder.start(features)
    said = decoder(memory, decoder.widen(state, 2), CAPTIONS.tokens[..., :-1]).logits.log_softmax(-1).detach()
    wanted = 0.0
    for b, k, t in CAPTIONS.mask[..., 1:].nonzero().tolist():
        word = CAPTIONS.tokens[b, k, t + 1]
        teacher = sum(float(p.exp()) * float(q) for p, q in zip(taught[b, k, t], said[b, k, t], strict=True))
        wanted -= (1 - share) * float(said[b, k, t, word]) + share * teacher
    found, _ = cross_entropy(decoder, features, CAPTIONS, taught=taught, share=share)
    assert_close(found.item(), wanted)


def test_who_is_taught_by_itself_alone_has_nothing_to_learn(read):
    decoder, features = read
    memory, state = decoder.start(features)
    itself = decoder(memory, decoder.widen(state, 2), CAPTIONS.tokens[..., :-1]).logits.log_softmax(-1).detach()
    for share, least, most in ((1.0, 0.0, 1e-5), (0.5, 1e-2, 1e2)):
        decoder.zero_grad()
        cross_entropy(decoder, features, CAPTIONS, taught=itself, share=share)[0].backward()
        assert least <= max(float(p.grad.abs().max()) for p in decoder.parameters() if p.grad is not None) <= most


def test_a_teacher_says_what_its_captioner_would(run):
    captioner = load(run)
    teacher = Teacher(str(run), captioner.recipe, captioner.encoder, torch.device("cpu"))
    tokens = torch.randn(2, 4, captioner.encoder.dim)
    features = Features(tokens, torch.ones(2, 4, dtype=torch.bool), tokens.mean(1), torch.rand(2, 4, 4))
    words = torch.tensor([captioner.tokenizer.encode("a red circle above")]).expand(2, 3, -1)
    memory, state = captioner.decoder.start(features)
    wanted = captioner.decoder(memory, captioner.decoder.widen(state, 3), words).logits.log_softmax(-1)
    assert_close(teacher(features, words), wanted)
    assert not teacher(features, words).requires_grad


@pytest.mark.slow
@pytest.mark.parametrize("views", ["none", "flip"])
def test_training_with_an_ensemble_as_teacher_goes_on_to_the_same_end(tmp_path, run, views):
    train_small(tmp_path / "other", *FROZEN, "train.max_steps=4", "train.seed=3")
    make_ensemble([run, tmp_path / "other"], tmp_path / "both")
    plain = [*FROZEN, "train.max_steps=5", "train.save_every=2", f"train.augment={views}"]
    overrides = [*plain, f"loss.teacher={tmp_path / 'both'}"]
    train_small(tmp_path / "whole", *overrides)
    killed(tmp_path / "run", overrides, "Job.step", 4)
    train_small(tmp_path / "run", *overrides, resume=True)
    assert equal(tmp_path / "run", tmp_path / "whole")
    train_small(tmp_path / "untaught", *overrides, "loss.teacher_share=1e-12")  # begins with the same weights
    weights = [checkpoint.read_tensors(tmp_path / name / checkpoint.MODEL) for name in ("whole", "untaught")]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "sight",
    [
        ["encoder=lite", "encoder.image_size=96", "train.augment=flip"],
        ["encoder=concat", "encoder.parts=[{image_size: 64}, {image_size: 64}]", "train.augment=flip"],
        ["encoder=cnn", "encoder.image_size=32"],
    ],
)
def test_who_learns_may_see_by_another_encoder_than_its_teacher(tmp_path, run, sight):
    overrides = [*sight, "train.max_steps=5", "train.save_every=2", f"loss.teacher={run}"]
    train_small(tmp_path / "whole", *overrides)
    killed(tmp_path / "run", overrides, "Job.step", 4)
    train_small(tmp_path / "run", *overrides, resume=True)
    assert equal(tmp_path / "run", tmp_path / "whole")
    assert load(tmp_path / "run").encoder.fingerprint != load(run).encoder.fingerprint


@pytest.mark.slow
def test_a_teacher_that_pools_otherwise_keeps_its_own_sight(tmp_path):
    """Both share one cache of maps, so the fingerprint is the same."""
    train_small(tmp_path / "finer", *FROZEN, "encoder.grid_size=2", "train.max_steps=1")
    recipe = small_recipe(*FROZEN)
    same = build_encoder(small_recipe(*FROZEN, "encoder.grid_size=2"))
    assert Teacher(str(tmp_path / "finer"), recipe, build_encoder(recipe), torch.device("cpu")).encoder is not None
    recipe = small_recipe(*FROZEN, "encoder.grid_size=2")
    assert Teacher(str(tmp_path / "finer"), recipe, same, torch.device("cpu")).encoder is None


@pytest.mark.slow
def test_a_teacher_with_an_encoder_of_its_own_says_what_it_would_of_the_same_view(tmp_path, run):
    captioner = load(run)
    sight = Lite(image_size=96)
    teacher = Teacher(str(run), captioner.recipe, sight, torch.device("cpu"))
    path = tmp_path / "photo.png"
    Image.effect_noise((90, 70), 90).convert("RGB").save(path)
    source = open_augmented([Record("0", path, ("a red circle",), "train")], teacher.beside(sight), "crops", QUIET)
    words = torch.tensor([[captioner.tokenizer.encode("a red circle above")]])
    photo = Image.open(path).convert("RGB")
    live = [encode(captioner.encoder, [image]) for image in (photo, *(view.of(photo) for view in VIEWS["crops"]))]
    memories = [captioner.decoder.start(features) for features in live]
    wanted = [captioner.decoder(memory, state, words).logits.log_softmax(-1).detach() for memory, state in memories]
    seen = [encode(sight, [image]).tokens for image in (photo, *(view.of(photo) for view in VIEWS["crops"]))]
    found = set()
    for _ in range(40):
        features = source([0])
        view = min(range(len(seen)), key=lambda i: float((seen[i] - features[0].tokens).abs().max()))
        said = teacher(features, words)
        distances = [float((said - each).abs().max()) for each in wanted]
        assert min(range(len(wanted)), key=distances.__getitem__) == view and distances[view] < 0.01
        found.add(view)
    assert len(found) == len(seen)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (["tokenizer.min_count=2"], "tokenizer.min_count is 1, not 2; use tokenizer.min_count=1"),
        (["tokenizer=sentencepiece"], "tokenizer.name is words, not sentencepiece; use tokenizer.name=words"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused_by_name(tmp_path, run, changed, told):
    with pytest.raises(RecipeError) as error:
        train_small(tmp_path / "run", *FROZEN, f"loss.teacher={run}", *changed)
    assert str(error.value).startswith("loss.teacher") and str(error.value).endswith(told)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_teacher_without_probabilities_and_none_at_all_are_refused(tmp_path, run):
    other = shutil.copytree(run, tmp_path / "other")
    with pytest.raises(InputError, match="absent is no folder"):
        train_small(tmp_path / "run", *FROZEN, f"loss.teacher={tmp_path / 'absent'}")
    recipe = {"data": RECIPE["data"], "encoder": {"name": "lite", "image_size": 64}, "captioner": {"name": "nearest"}}
    train(check(recipe), tmp_path / "nearest")
    with pytest.raises(RecipeError, match=r"'nearest', which has no probabilities to teach; .*neural"):
        train_small(tmp_path / "run", *FROZEN, f"loss.teacher={tmp_path / 'nearest'}")
    (other / "tokenizer.json").write_text((run / "tokenizer.json").read_text().replace("circle", "circus"))
    with pytest.raises(InputError, match=r"has another vocabulary .*; use the same train.start"):
        train_small(tmp_path / "run", *FROZEN, f"loss.teacher={run}", f"train.start={other}")


@pytest.mark.slow
def test_its_words_are_those_that_are_learnt(tmp_path, run):
    few = [*FROZEN, "train.max_steps=1", "data.images=2"]
    train_small(tmp_path / "run", *few, f"loss.teacher={run}")
    train_small(tmp_path / "untaught", *few)
    words, own = ((tmp_path / name / "tokenizer.json").read_bytes() for name in ("run", "untaught"))
    assert words == (run / "tokenizer.json").read_bytes() != own
    assert small_recipe(*FROZEN, f"loss.teacher={run}")["loss"]["teacher_share"] == 0.5
