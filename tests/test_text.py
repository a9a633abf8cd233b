"""Text as data: tokens, lines and windows, known laws, and the metrics of text."""

import itertools
import math
import random
import zipfile
from types import SimpleNamespace

import pytest
import torch

from gan_cli.data.automaton import automaton_of
from gan_cli.data.kinds.tokens import texts_of
from gan_cli.data.sets import datasets
from gan_cli.data.sets.oracle_lstm import RandomLSTM
from gan_cli.metrics.metric import metrics
from gan_cli.metrics.ngrams import bleu, distinct
from gan_cli.utils.errors import ConfigError

CPU = torch.device("cpu")


def opened(path, **options):
    return datasets.build({"name": "text", "path": str(path), **options}, where="dataset")


def texts(dataset, tokens=None):
    field = dataset.spec.fields["real"]
    return texts_of(field, dataset.tensors()["real"] if tokens is None else tokens)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "some.txt"


def test_lines_are_held_out_or_trained_on(file):
    lines = [f"{a}{b}" for a in "abcde" for b in "xyzé"]
    file.write_text("\r\n".join([*lines, "", *lines[:3]]), encoding="utf-8")
    dataset = opened(file, length=4, held_out=0.25)
    trained, held = texts(dataset), texts(dataset, dataset.held_out()["real"])
    assert len(held) == 5
    assert set(trained).isdisjoint(held)
    assert sorted({*trained, *held}) == sorted(lines)
    assert dataset.spec.fields["real"].vocabulary == ("", *"abcdexyzé")


def test_running_text_is_cut_into_windows(file):
    file.write_text("abcdefghij" * 3)
    dataset = opened(file, length=4, held_out=0.0)
    assert texts(dataset)[:3] == ["abcd", "efgh", "ijab"]
    assert texts(opened(file, length=4, stride=1, held_out=0.0))[1] == "bcde"
    with pytest.raises(ConfigError, match=r"dataset\.held_out: is 0"):
        dataset.held_out()


def test_words_are_tokens_and_rare_ones_are_replaced(file):
    file.write_text("The cat, the dog.\nThe cat\nThe dog\n")
    dataset = opened(file, unit="words", lower=True, held_out=0.0, length=6)
    assert sorted(texts(dataset)) == ["the cat", "the cat , the dog .", "the dog"]
    few = opened(file, unit="words", lower=True, held_out=0.0, length=6, vocabulary_size=4)
    assert few.spec.fields["real"].vocabulary == ("", "<unk>", "cat", "the")
    assert "the <unk>" in texts(few)


def test_a_folder_is_all_its_text_files(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.txt").write_text("bb\n")
    (tmp_path / "a.txt").write_text("aa\n")
    (tmp_path / "c.md").write_text("cc\n")
    assert sorted(texts(opened(tmp_path, held_out=0.0))) == ["aa", "bb"]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        for file in sorted(tmp_path.rglob("*.txt")):
            packed.write(file, file.relative_to(tmp_path))
    assert sorted(texts(opened(tmp_path / "all.zip", held_out=0.0))) == ["aa", "bb"]


def test_what_runs_have_written_is_no_text_of_the_data(tmp_path):
    (tmp_path / "outputs" / "x").mkdir(parents=True)
    (tmp_path / "outputs" / "x" / "run.json").write_text("{}")
    (tmp_path / "outputs" / "x" / "log.txt").write_text("step 1\n")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\r\n")
    assert sorted(texts(opened(tmp_path, held_out=0.0))) == ["one", "two"]
    windows = opened(tmp_path, held_out=0.0, samples="windows", length=7)
    assert texts(windows) == ["one\ntwo"]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", {}, r"dataset\.path: .* holds no text"),
        (b" \n\n", {}, r"dataset\.path: .* holds no text"),
        (b"caf\xe9 au lait", {}, r"dataset\.path: .* no text in UTF-8 \(byte 3\); .*iconv"),
        (b"PK\0\0", {}, r"dataset\.path: .* zero bytes"),
        (b"too short", {"samples": "windows"}, r"dataset\.length: the text has 9 tokens"),
        (b"a line of text", {"samples": "lines", "length": 3}, r"dataset\.length: all 1 lines"),
        (b"text", {"unit": "none.json"}, r"dataset\.unit: .* there is no file none\.json"),
    ],
)
def test_what_is_no_text_is_told_in_one_line(file, content, options, message):
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as told:
        opened(file, **options)
    assert len(told.value.faults) == 1


def test_missing_text_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"dataset\.path: .* does not exist"):
        opened(tmp_path / "none.txt")
    with pytest.raises(
        ConfigError, match=r"dataset\.path: no files \*\.txt in .*, which holds no files"
    ):
        opened(tmp_path)


def test_a_tokenizer_file_makes_the_tokens(file, tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    file.write_text("low lower\nlowest slow\n")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=20, show_progress=False)
    tokenizer.train_from_iterator(["low lower", "lowest slow"], trainer)
    tokenizer.save(str(tmp_path / "bpe.json"))
    dataset = opened(file, unit=str(tmp_path / "bpe.json"), held_out=0.0)
    assert sorted(texts(dataset)) == ["low lower", "lowest slow"]
    assert (dataset.tensors()["real"] != 0).sum() < len("low lower" + "lowest slow")


def test_a_missing_tokenizer_library_is_told(file, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    file.write_text("text")
    (tmp_path / "bpe.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"dataset\.unit: .*pip install 'gan-cli\[text\]'"):
        opened(file, unit=str(tmp_path / "bpe.json"))


# ---- Known laws

AMBIGUOUS = ["S -> a S [0.5] | b T | a b | ", "T -> c | S [0.5] | c T"]


def test_probabilities_of_an_ambiguous_grammar_sum_to_one():
    automaton = automaton_of(AMBIGUOUS, 4)
    every = torch.tensor(list(itertools.product(range(4), repeat=4)))
    probability = automaton.log_probability(every).exp()
    assert probability.sum().item() == pytest.approx(1, abs=1e-12)
    entropy = -torch.special.xlogy(probability, probability).sum().item()
    assert automaton.entropy() == pytest.approx(entropy, abs=1e-9)
    drawn = automaton.draw(20_000, torch.Generator().manual_seed(0))
    shares = torch.bincount((drawn * torch.tensor([64, 16, 4, 1])).sum(1), minlength=256) / 20_000
    assert (shares - probability).abs().max() < 0.012


def test_probability_of_a_sentence_by_hand():
    """Of at most 2 words there are "b c", with 1/2 of 1/2, and "b", with 1/2."""
    automaton = automaton_of(["S -> b T | T2", "T -> c | c T", "T2 -> b"], 2)
    words = automaton.words
    tokens = torch.tensor([[words.index("b") + 1, words.index("c") + 1], [1, 0], [2, 1]])
    inside = 0.5 * 0.5 + 0.5  # of "b c" and "b"
    expected = [0.25 / inside, 0.5 / inside, 0]
    assert automaton.log_probability(tokens).exp().tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([], "rules: lists none"),
        (["S = a"], "rules: cannot read 'S = a'"),
        (["S -> S a | b"], "'S' is the name of a rule, and may only be the last word"),
        (["S -> T", "T -> S"], "rules: "),
        (["S -> a [1..2] | b"], r"the weight \[1\.\.2\]"),
        (["S -> a [0] | b"], r"the weight \[0\]"),
        (["S -> a S"], "no sentence of at most 12 words"),
    ],
)
def test_grammars_without_a_law_are_refused(rules, message):
    with pytest.raises(ConfigError, match=message):
        datasets.build({"name": "grammar", "rules": rules, "count": 10}, where="dataset")


def test_the_oracle_knows_the_probability_of_each_text():
    oracle = RandomLSTM(3, 4, 3, seed=1)
    every = torch.tensor(list(itertools.product(range(3), repeat=3)))
    probability = oracle.log_probability(every).exp()
    assert probability.sum().item() == pytest.approx(1, abs=1e-5)
    drawn = oracle.draw(20_000, torch.Generator().manual_seed(0))
    shares = torch.bincount((drawn * torch.tensor([9, 3, 1])).sum(1), minlength=27) / 20_000
    assert (shares - probability).abs().max() < 0.015


# ---- Metrics


def made(seed, count):
    numbers = random.Random(seed)
    return [[numbers.randint(0, 5) for _ in range(numbers.randint(5, 9))] for _ in range(count)]


def test_bleu_by_hand():
    """a b c d against a b d c: 4 of 4, 1 of 3 and 0 of 2 n-grams; against itself all."""
    assert bleu([[1, 2, 3, 4]], [[1, 2, 4, 3]], 2) == pytest.approx(math.sqrt(1 * 1 / 3))
    assert bleu([[1, 2, 3, 4]], [[1, 2, 4, 3]], 3) == 0
    assert bleu([[1, 2, 3]], [[1, 2, 3, 4]], 2) == pytest.approx(math.exp(1 - 4 / 3))
    assert bleu([[1, 2], [1, 2], [3, 4]], None, 1) == pytest.approx(4 / 6)


def test_bleu_is_that_of_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")

    def score(hypotheses, streams):
        options = {"tokenize": "none", "smooth_method": "none"}
        return sacrebleu.corpus_bleu(hypotheses, streams, **options).score / 100

    some, others = (
        [" ".join(f"w{i}" for i in text) for text in made(seed, count)]
        for seed, count in ((0, 12), (1, 5))
    )
    theirs = score(some, [[other] * len(some) for other in others])
    assert bleu(made(0, 12), made(1, 5), 4) == pytest.approx(theirs)
    without = [[*some[:i], *some[i + 1 :]] for i in range(len(some))]
    theirs = score(some, [list(stream) for stream in zip(*without, strict=True)])
    assert bleu(made(0, 12), None, 4) == pytest.approx(theirs)


def test_distinct_ngrams_by_hand():
    assert distinct([[1, 1, 2], [1, 1]], 1) == pytest.approx(2 / 5)
    assert distinct([[1, 1, 2], [1, 1]], 2) == pytest.approx(2 / 3)


def test_words_of_the_data_are_valid(file):
    file.write_text("cat\ndog\nbird\n")
    dataset = opened(file, length=5, held_out=0.0)
    field = dataset.spec.fields["real"]
    number = {letter: i for i, letter in enumerate(field.vocabulary)}
    samples = torch.zeros(3, 5, dtype=torch.long)
    for row, word in zip(samples, ("cat", "cab", "dogd"), strict=True):
        row[: len(word)] = torch.tensor([number[letter] for letter in word])
    metric = metrics.build({"name": "words"}, where="")
    metric.open(field, CPU)
    sides = (SimpleNamespace(samples=side) for side in (dataset.tensors()["real"], samples))
    assert metric(*sides) == {"valid_words": pytest.approx(1 / 3)}
