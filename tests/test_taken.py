"""What was taken: every token counted once, nothing unknown taken for free, size apart from evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.campaigns.taken import DOLLARS, TOKENS, Price, Prices, severity, taken
from stillwatch.drill import world
from stillwatch.errors import UserError
from stillwatch.sketch.model_names import plain
from stillwatch.store import prices as price_list
from stillwatch.traffic import from_rows

PRICES = Prices((Price("m", 2.0, 10.0, 0.5, "2026-01-02"), Price("old*", 1.0, 1.0, None, "2025-01-02")), "a test")


def _taken(*rows: dict[str, Any], prices: Prices = PRICES) -> dict[str, Any]:
    traffic = from_rows([{"account": 1, **row} for row in rows])
    return taken(traffic, np.arange(len(rows)), prices)


def test_only_the_calls_that_are_named_count() -> None:
    traffic = from_rows([{"account": 1, "output_tokens": n, "input_tokens": 0} for n in (1, 20, 300)])
    assert taken(traffic, np.array([0, 2]), PRICES)["tokens_out"] == 301


def test_cached_tokens_are_part_of_the_request_and_cheaper() -> None:
    told = _taken({"input_tokens": 1_000_000, "cached_tokens": 400_000, "output_tokens": 100_000, "cost": 1.2})
    assert told["list_price_usd"] == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.1 * 10)
    assert told["tokens_in"] == 1_000_000 and told["tokens_cached"] == 400_000 and told["unpaid_share"] == pytest.approx(0.5)
    dear = _taken({"model": "old-1", "input_tokens": 1_000_000, "cached_tokens": 400_000, "output_tokens": 0})
    assert dear["list_price_usd"] == 1.0, "a list without a price for cached tokens"


def test_reasoning_is_counted_once_whether_the_log_has_it_in_the_answer_or_beside() -> None:
    among = _taken({"output_tokens": 100, "reasoning_tokens": 80}, {"output_tokens": 100, "reasoning_tokens": 10})
    assert (among["tokens_out"], among["tokens_reasoning"]) == (200, 90)
    beside = _taken({"output_tokens": 100, "reasoning_tokens": 180}, {"output_tokens": 100, "reasoning_tokens": 10})
    assert (beside["tokens_out"], beside["tokens_reasoning"]) == (390, 190)
    mixed = _taken({"output_tokens": 100, "reasoning_tokens": 180}, {"model": "n", "output_tokens": 100, "reasoning_tokens": 10})
    assert mixed["tokens_out"] == 380, "told model by model"


def test_an_unknown_model_is_counted_apart_and_never_free() -> None:
    told = _taken({"input_tokens": 1_000_000, "output_tokens": 0, "cost": 2.0}, {"model": "zeta", "input_tokens": 10**9, "output_tokens": 10**9, "cost": 0.0})
    assert told["list_price_usd"] == 2.0 and told["unpriced_calls"] == 1 and told["unpriced_models"] == ["zeta"]
    assert told["unpaid_share"] == 0.0, "what an unknown model would have cost is no debt"
    assert told["tokens_out"] == 10**9 and told["severity"] == "severe" and "1 further calls is unknown" in told["severity_text"]
    none = _taken({"model": "zeta", "output_tokens": 5})
    assert none["list_price_usd"] is None and none["unpaid_share"] is None and none["prices"]["as_of"] is None


def test_missing_counts_are_estimated_from_words_and_said_to_be() -> None:
    told = _taken({"prompt_tokens": 75, "response_tokens": 150}, {"input_tokens": 60, "output_tokens": 40, "prompt_tokens": 9, "response_tokens": 9})
    assert (told["tokens_in"], told["tokens_out"], told["estimated_share"]) == (160, 240, 0.75)
    assert _taken({"prompt_tokens": 1})["tokens_in"] == 2, "a part of a token is a token"


def test_nothing_known_is_none_and_not_zero() -> None:
    told = _taken({}, {})
    assert told["calls_without_tokens"] == 2
    for name in (
        "tokens_in", "tokens_out", "severity", "tokens_reasoning", "tokens_cached", "estimated_share", "list_price_usd", "charged_usd", "unpaid_share", "with_reasoning_share", "answers_share",
    ):  # fmt: skip
        assert told[name] is None, name
    assert told["severity_text"] == "Neither generated tokens nor list price are known."
    asked = _taken({"input_tokens": 7}, {})
    assert (asked["tokens_in"], asked["tokens_out"], asked["severity"]) == (7, None, "low") and asked["severity_text"].startswith("Generated tokens unknown")
    made = _taken({"response_tokens": 3}, {})
    assert (made["tokens_in"], made["tokens_out"], made["estimated_share"]) == (None, 4, 1.0)
    assert _taken({"output_tokens": 0})["tokens_out"] == 0, "none is not unknown"
    assert _taken({"reasoning_tokens": 5})["tokens_out"] == 5, "hidden reasoning is generated"


def test_who_pays_more_than_the_list_owes_nothing() -> None:
    assert _taken({"input_tokens": 1_000_000, "output_tokens": 0, "cost": 9.0})["unpaid_share"] == 0.0
    stolen = _taken({"input_tokens": 1_000_000, "output_tokens": 0, "cost": 0.0})
    assert stolen["unpaid_share"] == 1.0 and stolen["charged_usd"] == 0.0


def test_shares_are_of_the_calls_of_which_the_log_tells() -> None:
    told = _taken(
        {"delivered": 1, "output_tokens": 10, "capability": 1},
        {"delivered": 0, "output_tokens": 0, "capability": 1},
        {"reasoning_tokens": 5, "output_tokens": 30, "capability": 2},
        {"status": 429},
    )
    assert told["with_reasoning_share"] == pytest.approx(2 / 3, abs=1e-6) and told["answers_share"] == 0.5
    assert told["capabilities"] == {"mathematics": 0.75, "coding": 0.25}
    assert _taken({"delivered": 0b000100})["with_reasoning_share"] == 0.0, "a grade is no reasoning"


@pytest.mark.parametrize("at", range(3))
def test_severity_is_the_graver_of_tokens_and_value(at: int) -> None:
    grades = ("low", "medium", "high", "severe")
    assert severity(TOKENS[at], None)[0] == grades[at + 1] and severity(TOKENS[at] - 1, None)[0] == grades[at]
    assert severity(0, DOLLARS[at])[0] == grades[at + 1] and severity(0, DOLLARS[at] - 0.01)[0] == grades[at]
    assert severity(TOKENS[2], 0.0)[0] == "severe"


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", "claude-opus-4-5"), ("anthropic/claude-opus-4.5", "claude-opus-4-5"),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet"), ("models/gemini-2.5-pro", "gemini-2-5-pro"), ("gpt-5-2025-08-07", "gpt-5"),
        ("GPT-4.1-mini", "gpt-4-1-mini"), ("gpt-4-0613", "gpt-4-0613"), ("claude-3-5-haiku-latest", "claude-3-5-haiku"), ("", ""),
    ],
)  # fmt: skip
def test_a_model_is_known_under_the_names_that_clouds_give_it(name: str, want: str) -> None:
    assert plain(name) == want


def test_the_programs_own_prices_know_families_and_not_their_neighbours() -> None:
    own = price_list.load()
    assert len(own.prices) > 20 and all(price.output > price.input > 0 for price in own.prices)
    assert all(price.cached is None or price.cached <= price.input for price in own.prices)
    opus, mini = own.of("claude-opus-4-5-20251101"), own.of("gpt-5.4-mini")
    assert opus is not None and mini is not None and opus.output > mini.output
    assert own.of("gpt-9") is None and own.of("claude-opus-6") is None and own.of("gpt-5-anything") is None
    assert len({plain(price.pattern) for price in own.prices}) == len(own.prices), "no price stands twice"


@pytest.mark.parametrize(("model", "output"), world.PRICES.items())
def test_a_drill_charges_the_list_price(model: str, output: float) -> None:
    price = price_list.load().of(model)
    assert price is not None and (price.output, price.input) == (output, output / 5)


def test_prices_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('source = "our list"\n[[price]]\nmodels = ["Zeta-1.5*"]\ninput = 1\noutput = 2.5\nas_of = 2026-03-04\n')
    found = price_list.load(path)
    price = found.of("zeta-1.5-large")
    assert found.source == "our list" and price is not None and (price.input, price.output, price.cached, price.as_of) == (1.0, 2.5, None, "2026-03-04")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("price = 3", "no price in it"), ("[[price]", "not TOML"), ("[[price]]\ninput = 1", "names no models"), ("cost = 1", 'unknown word "cost"'),
        ('[[price]]\nmodels = ["m"]\ninput = 1\noutput = -2\nas_of = 2026-01-01', "output is no price"),
        ('[[price]]\nmodels = ["m"]\ninput = true\noutput = 2\nas_of = 2026-01-01', "input is no price"),
        ('[[price]]\nmodels = ["m"]\ninput = nan\noutput = 2\nas_of = 2026-01-01', "input is no price"),
        ('[[price]]\nmodels = ["m"]\ninput = 1\noutput = 2\nas_of = "today"', "as_of is no day"),
        ('[[price]]\nmodels = ["m"]\ninput = 1\noutput = 2\ncahced = 1\nas_of = 2026-01-01', 'unknown word "cahced"'),
    ],
)  # fmt: skip
def test_what_is_no_price_list_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as error:
        price_list.load(path)
    assert str(path) in str(error.value) and error.value.attempt


def test_a_price_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        price_list.load(tmp_path / "none.toml")
