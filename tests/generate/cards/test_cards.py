"""Model cards: ours are complete, a user's are checked key by key."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from safecot_eval.generate import cards
from safecot_eval.generate.plugin import MODELS
from safecot_eval.util.errors import SafecotError

OURS = sorted(cards.known())


def test_there_are_open_and_closed_models() -> None:
    loaded = [cards.load(path) for path in cards.known().values()]
    assert sum("open" in card.tags for card in loaded) >= 15
    assert sum("closed" in card.tags for card in loaded) >= 10
    assert len({card.name for card in loaded}) == len(loaded)
    assert len({card.provider for card in loaded}) >= 10


def test_the_documentation_counts_them_right() -> None:
    loaded = [cards.load(path) for path in cards.known().values()]
    page = (Path(__file__).parents[3] / "docs" / "model-cards.md").read_text(encoding="utf-8")
    opened, closed = (sum(tag in card.tags for card in loaded) for tag in ("open", "closed"))
    assert opened + closed == len(loaded)
    assert f"There are {len(loaded)}: {opened} open models" in page
    assert f"and {closed} closed ones" in page


def test_the_card_in_the_documentation_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "model-cards.md").read_text(encoding="utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    card = cards.load(path)
    assert set(card.differences) == set(cards.Difference)
    assert card.key_env == "MY_PROVIDER_KEY"


@pytest.mark.parametrize("name", OURS)
def test_a_card_of_ours(name: str) -> None:
    card = cards.load(cards.known()[name])
    assert card.id == name
    assert card.backend in MODELS
    assert card.provider
    assert card.licence
    assert card.released
    assert card.source.startswith("https://")
    if "closed" in card.tags:
        assert card.key_env
        assert card.licence == "proprietary"
        assert card.arguments["base_url"].startswith("https://")
    else:
        assert card.gpus >= 1
        assert card.arguments["pretrained"].count("/") == 1
    if "system_prompt" in card.differences and "none of its own" in card.differences["system_prompt"]:
        assert not card.system_role


def write(path: Path, **content: object) -> Path:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_ids_files_and_tags(tmp_path: Path) -> None:
    mine = write(
        tmp_path / "mine.yaml", id="mine", backend="safecot_baseline", arguments={"policy": "refuse_all"}
    )
    found = cards.find(f"gpt-4o,{mine},gpt-4o")
    assert [(reference, card.id) for reference, card in found] == [("gpt-4o", "gpt-4o"), (str(mine), "mine")]
    assert found[1][1].model_args == "policy=refuse_all"
    small = cards.find("tag:small,tag:closed")
    assert len({card.id for _, card in small}) == len(small)
    assert all(reference in cards.known() for reference, _ in small)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"id": "m", "backend": "b", "colour": "red"}, "unknown key 'colour'"),
        ({"backend": "b"}, "id is missing"),
        ({"id": "m"}, "backend is missing"),
        ({"id": "M m", "backend": "b"}, "small letters"),
        ({"id": "m", "backend": "b", "arguments": {"api_key": "sk-1"}}, "holds no keys"),
        ({"id": "m", "backend": "b", "arguments": {"x": "a,b"}}, "no commas"),
        ({"id": "m", "backend": "b", "arguments": ["x"]}, "`name: value`"),
        (
            {"id": "m", "backend": "b", "differences": {"mood": "bad"}},
            "differences.mood: should be 'image_limit', 'system_prompt'",
        ),
        ({"id": "m", "backend": "b", "released": "last year"}, "not a year"),
        ({"id": "m", "backend": "b", "gpus": "two"}, "gpus: should be a whole number"),
        ({"id": "m", "backend": "b", "system_role": "yes"}, "true or false"),
        ({"id": "m", "backend": "b", "tags": "open"}, "tags: should be a list"),
        ({"id": "m", "backend": "b", "unverified": ["mood"]}, "does not have"),
    ],
)
def test_what_is_wrong_with_a_card_is_said(tmp_path: Path, content: dict[str, object], says: str) -> None:
    path = write(tmp_path / "card.yaml", **content)
    with pytest.raises(SafecotError, match=says) as caught:
        cards.load(path)
    assert str(path) in str(caught.value)
    assert "sk-1" not in str(caught.value)


def test_files_that_are_no_cards(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("id: [", encoding="utf-8")
    with pytest.raises(SafecotError, match="not a valid model card: not YAML"):
        cards.load(broken)
    with pytest.raises(SafecotError, match="no such file"):
        cards.find(str(tmp_path / "none.yaml"))


def test_a_wrong_id_gets_a_hint() -> None:
    with pytest.raises(SafecotError, match=r"no card 'qwen2.5-vl-8b'; did you mean .*qwen2.5-vl-7b"):
        cards.find("qwen2.5-vl-8b")
    with pytest.raises(SafecotError, match="no card has the tag 'huge'"):
        cards.find("tag:huge")
    with pytest.raises(SafecotError, match="names no model"):
        cards.find(" , ")


def test_two_cards_may_not_share_an_id_or_a_row(tmp_path: Path) -> None:
    one = write(tmp_path / "one.yaml", id="m", backend="b", name="One")
    same_id = write(tmp_path / "two.yaml", id="m", backend="c", name="Two")
    same_name = write(tmp_path / "three.yaml", id="n", backend="b", name="One")
    with pytest.raises(SafecotError, match="have the id 'm'"):
        cards.find(f"{one},{same_id}")
    with pytest.raises(SafecotError, match="would be one row"):
        cards.find(f"{one},{same_name}")


def test_the_table_names_every_card() -> None:
    lines = cards.table().splitlines()
    assert len(lines) == len(OURS)
    assert all(any(line.startswith(name) for line in lines) for name in OURS)
