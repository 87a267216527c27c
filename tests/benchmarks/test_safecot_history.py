"""The recorded SafeCoT runs: from the repository's layout to ours, through a server of our own; all texts are invented."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from safecot_eval.benchmarks import prepare
from safecot_eval.benchmarks.data import download, root, safecot_history, sources
from safecot_eval.benchmarks.data.sources import Source
from safecot_eval.util.errors import SafecotError
from tests.benchmarks.conftest import Served

COT = "Be kind.Look at the picture and think step-by-step.\nQuestion: {}\n\n"
PLAIN = "Be kind.Look at the picture.\nQuestion: {}\n\n"
RUN = "logs/sft_answer/model:sft_mllm_toy_1b/train:mmsafetybench+sharedgpt4v_v1_new_data_1:1/test:ood"


def _item(number: int, *, prompt: str = COT, **more: Any) -> dict[str, Any]:
    return {
        "question": prompt.format(f"What is this, {number}?\nTell me."),
        "answer": f"A kettle, {number}.",
        "image": f"/somewhere/datasets/mssbench/chat/{number}.jpg",
        "label": ("safe", "unsafe")[number % 2],
        **more,
    }


def _judged(number: int) -> dict[str, Any]:
    return _item(number, safe_prob=0.25, unsafe_prob=0.75, final_score=(0.25, 0.75)[number % 2])


def _example(number: int, target: str, **more: Any) -> dict[str, Any]:
    path = f"/somewhere/datasets/mm-safetybench/imgs/01-Toy/SD/{number}.jpg"
    return {"question": COT.format(f"How, {number}?"), "image_path": path, "label": target, **more}


def _tree() -> dict[str, str]:
    """A small repository in the upstream layout."""
    examples = [
        _example(0, "It shows a toy. So, no."),
        _example(1, "It shows a game. Thus, no."),
        _example(2, "None."),
    ]
    written = [_example(0, "Seen. So, no.", catagory="Toy", prompt_question="Why toy?\n")]
    logs = "logs/cot_training_data"
    return {
        f"{RUN}/00000-00003.json": json.dumps([_judged(0), _judged(1)]),
        f"{RUN}/00002-00003.json": json.dumps([_item(4, prompt=PLAIN), _item(5, prompt=PLAIN)]),
        f"{RUN}/final_scores.txt": "Final average score: N/A\nFinal average score: 0.5\n",
        f"{RUN}/notes.md": "not wanted",
        "logs/sft_answer/model:sft_mllm_toy_1b/train:origin/test:siuo/final_scores.txt": "no answers here",
        "logs/sft_answer/model:sft_llm_other/train:x/test:ood/00000-00001.json": "[]",
        "dataset/base.py": (
            "import nowhere\n"
            'system_prompt: str = "Be kind."\n'
            f"user_cot_prompt_template: str = ({COT.format('{A}').removeprefix('Be kind.')!r})\n"
            f"user_prompt_template = {PLAIN.format('{A}').removeprefix('Be kind.')!r}\n"
            'generate_cot_prompt_template = "Why {A}?"\n'
            'rejection_templates = ["No.", "Not today."]\n'
            "raise SystemExit('this file is never run')\n"
        ),
        "src/eval_mllm.py": 'system_prompt = "Judge."\neval_prompt = ("Does it say no? " "{A}")\n',
        "src/eval_template.py": 'template_list = ["No", "Not"]\n',
        "src/generating_training_data/generate_cot_data_unsafe_text.py": 'rejection_templates = ["So, no."]\n',
        f"{logs}/cot_template_1.yaml": "toy:\n- It shows a toy.\n- It shows a\n- It shows a game.\n",
        "config/cot_prompt_llm.yaml": "toy: []\n",
        f"{logs}/cot_data_v1.json": json.dumps(examples),
        f"{logs}/data_v0.json": json.dumps([_example(0, "No.")]),
        **{
            f"{logs}/{name}.json": json.dumps(written)
            for name in (
                "cot_data_v2",
                "cot_data_v2_risk",
                "cot_data_v2_risk_1",
                "cot_data_v2_llava_guard",
                "cot_data_v2_qwen_vl",
            )
        },
    }


def _written(tree: Mapping[str, str], folder: Path) -> safecot_history.Files:
    for name, text in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return safecot_history.files_below(folder)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_shards_become_one_file_and_a_manifest(tmp_path: Path) -> None:
    files = _written(_tree(), tmp_path / "checkout")
    (written,) = safecot_history.convert_runs(files, tmp_path / "out")
    assert written.name == "toy_1b__v1_new_data_1-1__ood.jsonl"
    first, second, third, _ = _lines(written)
    assert first == {
        "question": "What is this, 0?\nTell me.",
        "image": "chat/0.jpg",
        "label": "safe",
        "answer": "A kettle, 0.",
        "prompt": "cot",
        "judge_accept_probability": 0.25,
    }
    assert second["label"] == "unsafe"
    assert third["prompt"] == "plain"
    assert "judge_accept_probability" not in third
    (entry,) = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert entry == {
        "file": written.name,
        "base": "toy_1b",
        "train": "v1_new_data_1:1",
        "test": "ood",
        "items": 4,
        "shards": "2 of 3",
        "judged": 2,
        "unsafe": 2,
        "safe": 2,
        "recorded": {"final_scores.txt": "Final average score: N/A\nFinal average score: 0.5"},
    }


def test_the_protocol_is_read_off_the_code_without_running_it(tmp_path: Path) -> None:
    files = _written(_tree(), tmp_path / "checkout")
    protocol = json.loads(
        safecot_history.convert_protocol(files, tmp_path / "out").read_text(encoding="utf-8")
    )
    assert protocol["judge"]["system"] == "Judge."
    assert protocol["judge"]["user"] == "Does it say no? {A}"
    assert protocol["prompt"]["system_part"] + protocol["prompt"]["cot"] == COT.replace("{}", "{A}")
    assert protocol["refusals_v0"] == ["No.", "Not today."]
    assert protocol["refusals_v1"] == [" So, no.", " Thus, no."], "what follows the longest template"
    assert protocol["refusals_v2"] == ["So, no."]
    assert protocol["phrases"] == {"eafa278 (2025-05-14)": ["No", "Not"]}


def test_training_examples_keep_their_order_and_writers(tmp_path: Path) -> None:
    files = _written(_tree(), tmp_path / "checkout")
    written = {path.name: path for path in safecot_history.convert_training(files, tmp_path / "out")}
    assert [line["question"] for line in _lines(written["v1.jsonl"])] == ["How, 0?", "How, 1?", "How, 2?"]
    (seen,) = _lines(written["v2_qwenvl.jsonl"])
    assert seen == {
        "question": "How, 0?",
        "prompt": "cot",
        "image": "mm-safetybench/imgs/01-Toy/SD/0.jpg",
        "target": "Seen. So, no.",
        "category": "Toy",
        "writer_prompt": "Why toy?\n",
    }
    assert written["cot_templates.yaml"].read_text(encoding="utf-8").startswith("toy:")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (f"{RUN}/00000-00004.json", "[]", "has shards of 3 and 4; two runs lie in one folder"),
        (f"{RUN}/00001-00003.json", "{}", "a list of answers was expected, not dict"),
        (
            f"{RUN}/00001-00003.json",
            '[{"answer": "x"}]',
            "answer 0: question, answer, image and label were expected",
        ),
        (
            f"{RUN}/00001-00003.json",
            json.dumps([_item(2, prompt="What? {}")]),
            "the question has no line 'Question: …'",
        ),
    ],
)
def test_a_run_of_another_form_is_refused(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    files = _written({**_tree(), name: text}, tmp_path / "checkout")
    with pytest.raises(SafecotError, match=sentence):
        safecot_history.convert_runs(files, tmp_path / "out")


def test_a_checkout_of_another_commit_is_refused(tmp_path: Path) -> None:
    tree = _tree()
    with pytest.raises(SafecotError, match="holds no runs of vision-language models"):
        safecot_history.convert_runs(_written({"readme": "x"}, tmp_path / "empty"), tmp_path / "out")
    del tree["src/eval_mllm.py"]
    with pytest.raises(SafecotError, match=r"src/eval_mllm\.py is missing; is this the commit eafa278"):
        safecot_history.convert_protocol(_written(tree, tmp_path / "other"), tmp_path / "out")
    other = {**_tree(), "src/eval_mllm.py": "system_prompt = input()\n"}
    with pytest.raises(SafecotError, match="has no str system_prompt"):
        safecot_history.convert_protocol(_written(other, tmp_path / "third"), tmp_path / "out")


@pytest.fixture
def toy_history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, served: Served) -> Served:
    """The repository's place taken by the small tree on a server of our own."""
    tree = {name: text.encode() for name, text in _tree().items() if not name.endswith("notes.md")}
    wanted = {name: hashlib.sha256(content).hexdigest() for name, content in tree.items()}
    toy = [
        Source(
            folder=folder,
            licence="ours",
            warning="mild",
            github="owner/name",
            commit="abc1234",
            needed=(needed,),
            upstream=wanted,
        )
        for folder, needed in (("safecot_runs", "protocol.json"), ("safecot_training", "v1.jsonl"))
    ]
    monkeypatch.setattr(sources, "sources", lambda: {one.folder: one for one in toy})
    monkeypatch.setattr(download, "GITHUB_FILE", served.url + "/{repository}/{commit}/{path}")
    monkeypatch.delenv("SAFECOT_DATA_DIR", raising=False)
    monkeypatch.setenv("SAFECOT_CACHE_DIR", str(tmp_path / "cache"))
    served.files |= {f"/owner/name/abc1234/{quote(name)}": content for name, content in tree.items()}
    return served


@pytest.mark.slow
def test_prepare_fetches_what_is_needed_once(toy_history: Served) -> None:
    folder = prepare.prepare("safecot_runs").root
    assert sorted(path.name for path in folder.iterdir()) == [
        "manifest.json",
        "protocol.json",
        "toy_1b__v1_new_data_1-1__ood.jsonl",
    ]
    assert root("safecot_runs") == folder
    asked = len(toy_history.asked)
    assert asked == len(set(toy_history.asked)), "nothing is asked for twice"
    prepare.prepare("safecot_runs")
    assert len(toy_history.asked) == asked, "what is there is not fetched again"
    prepare.prepare("safecot_training")
    assert (root("safecot_training") / "v2_llavaguard.jsonl").is_file()


def test_an_interrupted_fetch_goes_on_where_it_was(toy_history: Served) -> None:
    lost = f"/owner/name/abc1234/{quote('src/eval_mllm.py')}"
    content = toy_history.files.pop(lost)
    with pytest.raises(SafecotError, match="the server answers 404"):
        prepare.prepare("safecot_runs")
    assert not prepare.cached("safecot_runs").exists(), "nothing is converted before all of it is there"
    archive = prepare.cached(".archives") / "safecot_runs-abc1234"
    there = {path.name for path in archive.iterdir() if path.suffix != ".part"}
    toy_history.asked.clear()
    toy_history.files[lost] = content
    prepare.prepare("safecot_runs")
    wanted = {hashlib.sha256(content).hexdigest(): path for path, content in toy_history.files.items()}
    asked = {path for path, _ in toy_history.asked}
    assert lost in asked
    assert not asked & {wanted[digest] for digest in there}, "what came is not asked for again"


@pytest.mark.slow
def test_other_bytes_upstream_are_refused(toy_history: Served) -> None:
    toy_history.files[f"/owner/name/abc1234/{quote('dataset/base.py')}"] = b"something else"
    with pytest.raises(SafecotError, match="does not have the pinned hash"):
        prepare.prepare("safecot_runs")


def test_what_is_pinned_is_what_the_conversion_needs() -> None:
    runs, training = (sources.sources()[name] for name in ("safecot_runs", "safecot_training"))
    assert len(runs.commit) == 40
    assert runs.commit == training.commit
    answers = [name for name in runs.upstream if name.endswith(".json") and "/test:" in name]
    assert sum(name.endswith(".jsonl") for name in runs.sha256) == 57
    assert len(answers) == 57 * 4 - 10, "eight SIUO runs and two others lost a shard"
    assert set(safecot_history.protocol.CODE.values()) < set(runs.upstream)
    assert len(training.upstream) == 9


def test_the_shared_copy_is_what_the_conversion_makes(data_dir: Path) -> None:
    from safecot_eval.benchmarks.data.verify import verify

    report = verify(sources.sources()["safecot_runs"], data_dir / "safecot_runs")
    assert report.complete
    assert len(report.good) == 58
