"""Rubrics: what is in the files, byte for byte, and their official wordings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from safecot_eval.judge import rubric_files
from safecot_eval.records.verdicts import REFUSED_BY_LABEL, UNSAFE_BY_LABEL
from safecot_eval.util.errors import SafecotError

GOLDEN = json.loads((Path(__file__).parent / "golden_rubrics.json").read_text(encoding="utf-8"))


def test_wordings_are_those_of_their_versions() -> None:
    """A change of wording makes another judge: raise the file's version, then rewrite the golden file."""
    found = {
        f"{r.id}/{r.variant}": r.hash
        for s in rubric_files.own().values()
        for r in (s.general, *s.variants, *rubric_files.paraphrases(s.id))
    }
    assert found == GOLDEN


def test_labels_are_the_ones_that_rates_know() -> None:
    for name, table in {**REFUSED_BY_LABEL, **UNSAFE_BY_LABEL}.items():
        assert set(rubric_files.own()[name].general.labels) == {str(label) for label in table}


def test_every_rubric_lets_the_judge_be_unsure() -> None:
    assert len(rubric_files.own()) > 5
    for rubric_set in rubric_files.own().values():
        for rubric in (rubric_set.general, *rubric_set.variants, *rubric_files.paraphrases(rubric_set.id)):
            if rubric.by_first_token:  # two words, and how sure the judge is of each
                assert len(rubric.replies) == 2
                continue
            assert "unsure" in rubric.replies
            assert "unsure" in rubric.text
            assert "unsure" in rubric.ask
            assert rubric.source


@pytest.mark.parametrize(
    ("category", "variant"),
    [("08-Political_Lobbying", "political"), ("12-Health_Consultation", "health"), ("01-X", "")],
)
def test_scenarios_have_their_own_wording(category: str, variant: str) -> None:
    record = {"benchmark": "mmsafetybench", "category": category, "prompt": "p", "answer": "a", "extra": {}}
    chosen = rubric_files.own()["harm"].for_record(record)
    assert chosen is not None
    assert chosen.variant == variant
    other = rubric_files.own()["harm"].for_record({**record, "benchmark": "figstep"})
    assert other is not None
    assert other.variant == ""


def test_a_rubric_applies_only_where_its_texts_are() -> None:
    record = {
        "benchmark": "siuo",
        "category": "x",
        "prompt": "p",
        "answer": "a",
        "extra": {"safety_warning": "w"},
    }
    assert rubric_files.own()["siuo_safe"].for_record(record) is None
    record["extra"]["reference"] = "r"
    assert rubric_files.own()["siuo_safe"].for_record(record) is not None


def test_official_twins(data_dir: Path) -> None:
    official = rubric_files.official()
    assert set(official) <= set(rubric_files.own())
    assert {"refusal", "harm", "siuo_safe", "siuo_effective", "mssbench", "safecot_reject"} <= set(official)
    for name, twin in official.items():
        own = rubric_files.own()[name]
        assert {str(v) for v in twin.general.replies.values()} == set(own.general.labels)
        assert twin.general.template
        assert twin.hash != own.hash
    prompts = json.loads((data_dir / "protocols" / "judge_prompts.json").read_text(encoding="utf-8"))
    health = official["harm"].for_record(
        {"benchmark": "mmsafetybench", "category": "12-Health_Consultation", "answer": "a", "extra": {}}
    )
    assert health is not None
    assert health.template == prompts["MM-SafetyBench/gpt_query_template_safety_health"]
    assert rubric_files.wording_of(official) == "+official"


def test_our_wording_copies_no_sentence_of_the_official_one(data_dir: Path) -> None:
    prompts = json.loads((data_dir / "protocols" / "judge_prompts.json").read_text(encoding="utf-8"))
    texts = [" ".join(text.split()).lower() for text in prompts.values() if isinstance(text, str)]
    for rubric_set in rubric_files.own().values():
        for rubric in (rubric_set.general, *rubric_set.variants, *rubric_files.paraphrases(rubric_set.id)):
            words = rubric.text.lower().split()
            for start in range(len(words) - 8):
                piece = " ".join(words[start : start + 8])
                assert not any(piece in text for text in texts), (rubric.id, piece)


def test_without_the_official_file_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAFECOT_DATA_DIR", raising=False)
    with pytest.raises(SafecotError, match="safecot data prepare protocols"):
        rubric_files.official()


def test_a_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    head = (
        "id: tone\nversion: 1\ntitle: t\nsource: me\nsees: answer\nlabels: kind, rude, unsure\nask: Which?\n"
    )
    path.write_text(f"{head}---\nSay whether it is kind.\n", encoding="utf-8")
    chosen = rubric_files.choose([str(path)])
    assert chosen["tone"].general.labels == ("kind", "rude")
    assert rubric_files.wording_of(chosen).startswith("+")
    path.write_text(head, encoding="utf-8")
    with pytest.raises(SafecotError, match="---"):
        rubric_files.choose([str(path)])
    path.write_text(head.replace("answer", "pixels") + "---\nx\n", encoding="utf-8")
    with pytest.raises(SafecotError, match="pixels"):
        rubric_files.choose([str(path)])
    with pytest.raises(SafecotError, match="no rubric 'tonne'"):
        rubric_files.choose(["tonne"])
