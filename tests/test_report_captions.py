"""The sentence below a chart of the report: what one wants to see."""

import re
from pathlib import Path

import pytest

from gan_cli.report.captions import CAPTIONS, caption
from gan_cli.report.panels import curve_panels
from gan_cli.report.records import Record

HEALTH = Path(__file__).resolve().parent.parent / "docs/health.md"


def page(series: dict[str, list[tuple[int, float]]]) -> str:
    record = Record(Path("run"), {}, {}, series, {}, {})
    return "".join(map(str, curve_panels(record)))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fd_random", "should fall"),
        ("fd_infinity_random", "should fall"),
        ("kd_std_random", "Spread"),
        ("class_fd_classifier", "within the classes"),
        ("recall_inception", "should rise"),
        ("generator/adversarial", "no value is best"),
        ("discriminator/real_logits", "a growing gap"),
        ("discriminator/pair_accuracy", "above 0.5"),
        ("discriminator/real_accuracy", "stuck at 1"),
        ("discriminator/gradient_norm", "growth without"),
        ("discriminator/r1", "stay small"),
        ("discriminator/augment_p", "level off"),
        ("health/diversity_random", "below 0.3 is a collapse"),
        ("health/separability", "fall to 0.5"),
        ("domain_accuracy", "fall to 0.5"),
    ],
)
def test_a_chart_says_what_one_wants_to_see(name, words):
    text = caption(name)
    assert words in text
    assert f'class="wanted">{text}'.replace("'", "&#39;") in page({name: [(1, 0.5), (2, 0.6)]})


def test_curves_of_one_chart_share_a_sentence():
    both = {f"discriminator/{side}_logits": [(1, 0.5), (2, 0.6)] for side in ("real", "fake")}
    assert page(both).count('class="wanted"') == 1


def test_every_documented_signal_of_health_has_a_sentence():
    rows = re.findall(r"^\| (`[^|]+) \| [^|]+ \|$", HEALTH.read_text(), re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`([\w/]+)`", row)]
    names = [n.replace("SPACE", "pixels").replace("PLAYER", "generator") for n in names]
    assert len(names) > 15
    assert [name for name in names if caption(f"health/{name}") is None] == []


def test_a_chart_whose_meaning_is_not_known_has_no_sentence():
    assert caption("my_metric") is None
    assert "wanted" not in page({"my_metric": [(1, 0.5)]})


def test_captions_are_one_short_sentence_each():
    for _, text in CAPTIONS:
        assert text.endswith(".")
        assert text.count(". ") == 0
        assert len(text) <= 100
