"""The loss against a plain loop over real words, and what padding may do to it: nothing."""

import math
from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from showtell.decode import sample
from showtell.decoders import Attend, Recurrent, Transformer
from showtell.decoders.decoder import Decoder, Output
from showtell.features import Features
from showtell.losses.cross_entropy import cross_entropy
from showtell.losses.self_critical import self_critical
from showtell.losses.teacher_forcing import SCHEDULES, read_captions
from showtell.tokenizers.captions import Captions, Special, batch

B, N, D, V = 2, 5, 6, 11
SPECIAL, ONE_ID = Special(begin=(1,), eos=2, pad=0), Special(begin=(9,), eos=9, pad=9)
GROUPS = [[[3, 4, 5], [6], []], [[7, 8, 10, 3, 3]]]


@pytest.fixture(params=["recurrent", "transformer"])
def decoder(request):
    torch.manual_seed(0)
    if request.param == "recurrent":
        return Recurrent(D, V, embedding_dim=9, dim=8).eval()
    return Transformer(D, V, dim=8, heads=4, mlp_dim=10, layers=2, max_length=12).eval()


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(0)
    tokens, boxes = (torch.randn(B, N, size, generator=generator) for size in (D, 4))
    return Features(tokens, torch.ones(B, N, dtype=torch.bool), tokens.mean(1), boxes)


def plain(decoder, features, groups, special, label_smoothing=0.0, labels="prompt+caption"):
    """One caption after the other, one word after the other."""
    total, count = 0.0, 0
    for b, group in enumerate(groups):
        for words in group:
            memory, state = decoder.start(features.select(torch.tensor([b])))
            tokens = [*special.begin, *words, special.eos]
            for place, (given, wanted) in enumerate(pairwise(tokens)):
                logits, state, _ = decoder(memory, state, torch.tensor([[[given]]]))
                if labels == "caption" and place + 1 < len(special.begin):
                    continue
                logits = logits.flatten().tolist()
                largest = max(logits)
                norm = largest + math.log(sum(math.exp(x - largest) for x in logits))
                spread = sum(norm - x for x in logits) / V
                total += (1 - label_smoothing) * (norm - logits[wanted]) + label_smoothing * spread
                count += 1
    return total, count


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("special", [SPECIAL, ONE_ID], ids=["three ids", "one id"])
@torch.no_grad()
def test_the_loss_is_that_of_a_plain_loop_over_words(decoder, features, special, label_smoothing):
    loss, words = cross_entropy(decoder, features, batch(GROUPS, special), label_smoothing)
    wanted, count = plain(decoder, features, GROUPS, special, label_smoothing)
    assert words == count == 13
    assert_close(float(loss), wanted, rtol=1e-5, atol=0)


PROMPTS = {"three ids": Special((1, 7, 8), 2, 0), "one id": Special((9, 7, 8), 9, 9)}


@pytest.mark.parametrize("labels", ["caption", "prompt+caption"])
@pytest.mark.parametrize("special", PROMPTS.values(), ids=PROMPTS)
@torch.no_grad()
def test_a_prompt_is_read_and_predicted_only_if_it_is_among_the_labels(decoder, features, special, labels):
    loss, words = cross_entropy(decoder, features, batch(GROUPS, special), labels=labels)
    wanted, count = plain(decoder, features, GROUPS, special, labels=labels)
    assert words == count == (13 if labels == "caption" else 13 + 4 * 2)
    assert_close(float(loss), wanted, rtol=1e-5, atol=0)


@pytest.mark.parametrize("labels", ["caption", "prompt+caption"])
def test_the_prompts_last_token_is_taught_the_first_word(features, labels):
    captions, table = batch([[[3], [4, 5]], [[]]], PROMPTS["one id"]), Table(B, 2, 5)
    cross_entropy(table, features, captions, labels=labels)[0].backward()
    prompt = 1 if labels == "prompt+caption" else 0
    taught = (table.logits.grad.abs().sum(-1) > 0).long()
    assert taught.tolist() == [
        [[prompt, prompt, 1, 1, 0], [prompt, prompt, 1, 1, 1]],
        [[prompt, prompt, 1, 0, 0], [0, 0, 0, 0, 0]],
    ]
    ends = table.logits.grad[..., 9] < 0
    assert ends.nonzero().tolist() == [[0, 0, 3], [0, 1, 4], [1, 0, 2]]


def test_attention_is_made_even_over_the_captions_words_only(features):
    torch.manual_seed(0)
    decoder, special = Attend(D, V, embedding_dim=9, dim=8, attention_dim=7).eval(), PROMPTS["three ids"]
    captions = batch([[[3, 4]], [[5, 6]]], special)
    loss = cross_entropy(decoder, features, captions, attend_all=2.0)[0] - cross_entropy(decoder, features, captions)[0]
    maps = read_captions(decoder, *decoder.start(features), captions.tokens[..., :-1], attention=True).attention[
        :, 0, 2:, 0
    ]
    assert_close(loss, 2 * 6 * ((1 - maps.sum(1)) ** 2).mean(), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_what_stands_in_the_padding_never_counts(decoder, features):
    captions = batch(GROUPS, SPECIAL)
    longer = Captions(*(torch.nn.functional.pad(part, (0, 3)) for part in captions[:2]))
    strange = Captions(longer.tokens.masked_fill(~longer.mask, 6), longer.mask)
    wanted = cross_entropy(decoder, features, captions)
    for other in (longer, strange):
        loss, words = cross_entropy(decoder, features, other)
        assert words == wanted[1]
        assert_close(loss, wanted[0])


class Table(Decoder):
    """Logits that are parameters: their gradient is what the loss teaches at each place."""

    def __init__(self, *shape):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(*shape, V))

    def start(self, features):
        return {}, {"position": torch.zeros(B, 1)}

    def forward(self, memory, state, tokens, attention=False):
        return Output(self.logits, state)


def test_one_id_is_taught_where_a_caption_ends_and_nowhere_behind(features):
    captions, table = batch([[[3], [4, 5, 6]], [[7]]], ONE_ID), Table(B, 2, 4)
    cross_entropy(table, features, captions)[0].backward()
    taught = table.logits.grad.abs().sum(-1) > 0
    assert taught.long().tolist() == [[[1, 1, 0, 0], [1, 1, 1, 1]], [[1, 1, 0, 0], [0, 0, 0, 0]]]
    ends = table.logits.grad[..., ONE_ID.eos] < 0  # a step down the gradient raises eos there
    assert ends.nonzero().tolist() == [[0, 0, 1], [0, 1, 3], [1, 0, 1]]


@pytest.mark.slow
def test_a_model_whose_bos_eos_and_pad_are_one_id_learns_to_stop(decoder, features):
    captions = batch([[[3, 4]], [[5]]], ONE_ID)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        loss, words = cross_entropy(decoder, features, captions)
        (loss / words).backward()
        optimizer.step()
    memory, state = decoder.start(features)
    said = decoder(memory, state, captions.tokens[..., :-1]).logits.argmax(-1)
    assert said[0, 0].tolist() == [3, 4, 9]
    assert said[1, 0, :2].tolist() == [5, 9]


@torch.no_grad()
def test_logits_in_bf16_are_summed_in_full_precision(features):
    table, captions = Table(B, 3, 6), batch(GROUPS, SPECIAL)
    table.logits.normal_()
    table.bfloat16()
    loss, _ = cross_entropy(table, features, captions)
    assert loss.dtype == torch.float32
    table.float()
    assert torch.equal(loss, cross_entropy(table, features, captions)[0])


@torch.no_grad()
def test_autocast_gives_nearly_the_same_loss(decoder, features):
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = cross_entropy(decoder, features, batch(GROUPS, SPECIAL))
    wanted, _ = plain(decoder, features, GROUPS, SPECIAL)
    assert_close(float(loss), wanted, rtol=0.02, atol=0)


@pytest.mark.parametrize("piece", [1, 2, 5, 25])
@torch.no_grad()
def test_reading_in_pieces_changes_no_logits(decoder, features, piece):
    captions = batch(GROUPS, SPECIAL)
    wanted = cross_entropy(decoder, features, captions)
    assert_close(cross_entropy(decoder, features, captions, piece=piece)[0], wanted[0])


def test_pieces_may_begin_with_an_empty_caption(features):
    """A piece that does not carry the state predicts as if nothing came before it."""
    torch.manual_seed(0)
    decoder, tokens = Recurrent(D, V, embedding_dim=9, dim=8, dropout=0.0).eval(), torch.tensor([[[1, 3, 4, 5, 6]]] * B)
    memory, state = decoder.start(features)
    cut = read_captions(decoder, memory, state, tokens, piece=3, carry=False).logits
    for start, end in ((0, 3), (3, 5)):
        assert_close(cut[:, :, start:end], decoder(memory, state, tokens[..., start:end]).logits)
    whole = read_captions(decoder, memory, state, tokens, piece=3).logits
    assert_close(whole[:, :, :3], cut[:, :, :3])
    assert not torch.allclose(whole[:, :, 3:], cut[:, :, 3:])


def test_gradients_stop_between_pieces(features):
    """Only the last word's prediction is scored: its loss must teach nothing about words of the piece before it."""
    torch.manual_seed(0)
    decoder, tokens = Recurrent(D, V, embedding_dim=9, dim=8, dropout=0.0), torch.tensor([[[1, 3, 4, 5]]] * B)
    for piece, reached in ((None, [True, True]), (4, [True, True]), (3, [False, False]), (2, [False, True])):
        decoder.zero_grad()
        logits = read_captions(decoder, *decoder.start(features), tokens, piece=piece).logits
        logits[..., 3, :].sum().backward()
        assert [bool(decoder.words.weight.grad[word].any()) for word in (3, 4)] == reached


@pytest.mark.parametrize("begin", [1, 3])
def test_own_words_are_read_as_often_as_the_coin_says(features, begin):
    """A decoder that writes down what it reads, and says 7, 8, 9, 10, 7, .. whatever that is."""
    seen = []

    class Parrot(Table):
        def forward(self, memory, state, tokens, attention=False):
            seen.append(tokens)
            step = state["position"]
            return Output(self.logits[step % 4][:, :, None], {"position": step + 1})

    parrot = Parrot(4)
    parrot.logits.data[range(4), range(7, 11)] = 1e4
    tokens = torch.randint(3, 7, (B, 200, 9), generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    read_captions(parrot, {}, {"position": torch.zeros(B, 200, dtype=torch.long)}, tokens, truth=0.3, begin=begin)
    given = torch.cat(seen, dim=-1)
    assert torch.equal(given[..., :begin], tokens[..., :begin])
    own = given[..., begin:] == (7 + torch.arange(8) % 4)[begin - 1 :]  # what was said just before
    assert own.float().mean().item() == pytest.approx(0.7, abs=0.02)
    assert torch.equal(given[..., begin:][~own], tokens[..., begin:][~own])


@pytest.mark.parametrize("name", ["linear", "exponential", "inverse_sigmoid"])
@pytest.mark.parametrize("end", [0.05, 0.5, 0.9])
def test_a_schedule_falls_from_truth_to_its_end(name, end):
    values = [SCHEDULES[name](done / 20, end) for done in range(21)]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(1, abs=0.15) and values[-1] == pytest.approx(end, abs=1e-3)
    assert SCHEDULES["none"](0.7, end) == 1


@pytest.mark.parametrize("done", [0.0, 0.25, 0.5, 1.0])
def test_each_schedule_has_its_own_formula(done):
    assert SCHEDULES["linear"](done, 0.2) == pytest.approx(1 - 0.8 * done)
    assert SCHEDULES["exponential"](done, 0.04) == pytest.approx(0.04**done)
    k, end = 20, 20 / (20 + math.exp(100 / 20))  # of Bengio et al.: k / (k + exp(i / k)) after i of 100 steps
    assert SCHEDULES["inverse_sigmoid"](done, end) == pytest.approx(k / (k + math.exp(100 * done / k)))


@torch.no_grad()
def test_doubly_stochastic_attention_is_that_of_a_plain_loop(features):
    torch.manual_seed(0)
    decoder, captions = Attend(D, V, embedding_dim=9, dim=8, attention_dim=7).eval(), batch(GROUPS, SPECIAL)
    features = features._replace(mask=features.mask.clone())
    features.mask[1, 2] = False
    plain_loss, words = cross_entropy(decoder, features, captions)
    loss, _ = cross_entropy(decoder, features, captions, attend_all=2.0)
    far = []
    for b, group in enumerate(GROUPS):
        for said in group:
            memory, state = decoder.start(features.select(torch.tensor([b])))
            tokens = torch.tensor([[[SPECIAL.begin[0], *said]]])
            seen = decoder(memory, state, tokens, attention=True).attention[0, 0, :, 0].sum(0)
            far += [(1 - float(share)) ** 2 for share, real in zip(seen, features.mask[b], strict=True) if real]
    assert_close(float(loss - plain_loss), 2 * words * sum(far) / len(far), rtol=1e-4, atol=0)


def critical(decoder, features, reward, special=SPECIAL, **settings):
    torch.manual_seed(7)
    lengths = {"max_length": 3 + len(special.begin)}
    return self_critical(decoder, features, special, reward, samples=3, **lengths, **settings)


def test_with_the_greedy_baseline_the_advantage_is_over_the_greedy_caption(decoder, features):
    """Drawn captions earn 3, the greedy one 1: every drawn caption is taught twice as strongly."""

    def reward(drawn):
        return torch.full(drawn.log_probs.shape, 3.0 if drawn.tokens.shape[1] == 3 else 1.0)

    lengths = {"num_return_sequences": 3, "max_length": 4}
    torch.manual_seed(7)
    drawn = sample(decoder, features, SPECIAL, seed=int(torch.randint(2**31, ())), **lengths)
    loss, mean = critical(decoder, features, reward, baseline="greedy")
    assert mean == 3
    assert_close(float(loss.detach()), float(-2 * drawn.log_probs.sum()), rtol=1e-4, atol=0)


@pytest.mark.parametrize("special", [SPECIAL, *PROMPTS.values()], ids=["no prompt", *PROMPTS])
def test_self_critical_loss_is_that_of_its_definition(decoder, features, special):
    kept = []

    def reward(drawn):
        kept.append(drawn)
        return torch.arange(6.0).view(2, 3) ** 2

    loss, mean = critical(decoder, features, reward, special)
    drawn, rewards = kept[0], [[0, 1, 4], [9, 16, 25]]
    expected = 0.0
    for b in range(B):
        for k in range(3):
            others = (sum(rewards[b]) - rewards[b][k]) / 2
            expected -= (rewards[b][k] - others) * float(drawn.log_probs[b, k])
    assert_close(loss, torch.tensor(expected), rtol=1e-4, atol=1e-4)
    assert mean == pytest.approx(55 / 6)


def test_equal_rewards_teach_nothing(decoder, features):
    loss, _ = critical(decoder, features, lambda drawn: torch.full((2, 3), 5.0))
    for gradient in torch.autograd.grad(loss, list(decoder.parameters()), allow_unused=True):
        assert gradient is None or not gradient.any()


@pytest.mark.slow
def test_what_is_rewarded_becomes_likelier(decoder, features):
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=0.02)

    def pays(drawn):
        return (drawn.tokens == 7).any(dim=-1).float()

    means = []
    for _ in range(60):
        loss, mean = self_critical(decoder, features, SPECIAL, pays, samples=6, max_length=4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        means.append(mean)
    assert sum(means[-5:]) / 5 > 0.9 > 0.6 > sum(means[:5]) / 5
