"""The report: everything told, nothing loaded, everything escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from report_fixtures import campaign, summary
from stillwatch.doors.report import chart, page


class _Outline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _parsed(html: str) -> _Outline:
    outline = _Outline()
    outline.feed(html)
    assert outline.open == []
    return outline


HTML = page.render([campaign(), campaign("feedfacefeedface", "watch", 2000)], summary())


def test_page_is_well_formed_and_headings_descend_one_by_one() -> None:
    outline = _parsed(HTML)
    assert outline.headings[0] == 1 and outline.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False))
    assert {"header", "main", "footer"} <= {tag for tag, _ in outline.tags}


def test_nothing_is_loaded_and_no_script_runs() -> None:
    for tag, attrs in _parsed(HTML).tags:
        assert tag not in ("script", "img", "link", "iframe", "object")
        assert not {"src", "onclick", "onload"} & set(attrs)
        assert (attrs.get("href") or "#").startswith("#")
    assert "url(" not in HTML and "@import" not in HTML


def test_what_was_taken_may_be_unknown() -> None:
    told = campaign()
    told["taken"] |= {name: None for name in ("tokens_in", "tokens_out", "severity", "estimated_share", "list_price_usd")}
    html = page.render([told], summary())
    assert "<dt>Severity</dt><dd class='big'>unknown</dd>" in html and "<dt>Generated tokens</dt><dd class='big'>unknown</dd>" in html
    assert "Tokens of requests are unknown." in html and ">None<" not in html and "not valued" not in html


def test_values_are_escaped() -> None:
    assert "<script>" not in HTML and "&lt;script&gt;" in HTML
    assert "<b>behind</b>" not in HTML and "m &amp; m" in HTML


def test_every_part_of_the_case_is_told() -> None:
    for part in (
        "29 unrelated organisations", "13 unrelated organisations", "found", "not found", "could not be examined", "Observed", "Inferred", "evaluation suite",
        "Graph of 30 accounts", "7 me&lt;shs", "21 accounts", "4 of 30 accounts, chosen by hash", "m &amp; m first appears 2026-01-02 00:00", "46 %", "00aa00aa00aa00aa",
        "Wording among strangers", "1 signal without which nothing changes", "medium", "61.50 USD", "list &lt;prices&gt;", "AML.T0040", "30 accounts share 2 payment keys", "mathematics", "2026-01-01 00:00", "reasoning_in, reasoning_out", "where nothing is to be found",
    ):  # fmt: skip
        assert part in HTML, part


def test_every_drawing_says_what_it_shows() -> None:
    drawings = [attrs for tag, attrs in _parsed(HTML).tags if tag == "svg"]
    assert len(drawings) > 8
    assert all(attrs["role"] == "img" and len(attrs["aria-label"] or "") > 20 for attrs in drawings)


def test_names_in_pictures_are_escaped() -> None:
    assert "<b>acct" not in HTML and "&lt;b&gt;acct&lt;/b&gt;" in HTML


def test_detectors_and_ties_are_on_or_off_for_want_of_a_column() -> None:
    html = page.render([], summary(ties={"payment": {"off": ["payment"]}, "replay": "on"}))
    assert "<b>off</b> payment" in html and "<b>on</b> replay" in html and "<b>on</b> dealt job" in html
    assert "2 of the detectors and ties above could not look" in html


@pytest.mark.parametrize(
    ("sampled", "said"),
    [
        ({"share_known": 0.1}, "It holds 10 % of the calls"),
        ({"share_known": None}, "It holds an unknown share"),
        ({"share_known": 0.1, "text": "One in <ten>."}, "One in &lt;ten&gt;."),
        ("every tenth call", "every tenth call"),
    ],
)
def test_a_sampled_log_is_said_to_be_one(sampled: object, said: str) -> None:
    html = page.render([], summary(sampled=sampled))
    assert "The log is a sample." in html and said in html
    assert "The log is a sample." not in HTML


def test_what_was_not_decided_is_said_case_by_case() -> None:
    assert "Whether one site explains it: cases 1, 2." in HTML


def test_a_case_of_an_earlier_release_is_still_told() -> None:
    old = campaign()
    for part in ("graph", "raster", "pivots", "templates", "left_out", "taken", "volume"):
        del old[part]
    html = page.render([old], summary())
    _parsed(html)
    assert "not computed" in html and "Not valued" in html


def test_of_many_watches_the_weakest_stand_in_the_table_only() -> None:
    many = [campaign(f"{i:016x}", "watch", 12) for i in range(page.WATCHES + 5)]
    html = page.render([campaign(), *many], summary())
    assert html.count("<section class=") == page.WATCHES + 1 and "The 5 weakest watches" in html
    assert all(f'href="#c-{case}"' in html for case in re.findall(r'id="c-([0-9a-f]+)"', html)) and f"Case {page.WATCHES + 6}</th>" in html


def test_empty_states() -> None:
    empty = page.render([], summary(cannot_decide="Without history <nothing>.", placebo={"rounds": 0, "alerts": 0, "reviews": 0, "text": "not run"}))
    _parsed(empty)
    assert "No campaign" in empty and "Without history &lt;nothing&gt;." in empty and "not run" in empty


def test_same_input_same_bytes() -> None:
    assert page.render([campaign()], summary()) == page.render([campaign()], summary())


@pytest.mark.parametrize("calls", [[], [1], [0, 0, 5], [10**9] * 90])
def test_volume_chart_takes_any_shape(calls: list[int]) -> None:
    svg = chart.volume({"start_ts": 0, "bucket_us": 60_000_000, "calls": calls})
    assert svg.count("<rect") == sum(count > 0 for count in calls)


def test_benign_range_is_on_the_scale() -> None:
    svg = chart.benign_range(500.0, 1.0, 80.0, True)
    assert 0 < float(re.search(r'cx="([\d.]+)"', svg)[1]) <= 136  # type: ignore[index]
    assert "no reference" in chart.benign_range(1.0, None, None, False)
