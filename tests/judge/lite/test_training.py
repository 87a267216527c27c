"""Training and evaluation never let a model's answers, in any form, onto both sides."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from safecot_eval.cli import main
from safecot_eval.judge.lite import load as load_model
from safecot_eval.judge.lite.corpus import make_corpus, targets, vocabulary
from safecot_eval.judge.lite.data import Source, load, load_msts, load_xstest
from safecot_eval.judge.lite.evaluate import (
    expected_calibration_error,
    kappa,
    leave_one_model_out,
    read_lite,
    splits,
    table,
)
from safecot_eval.judge.lite.fit import fit, prepare, row_weights, score
from safecot_eval.judge.lite.tune import abstention_threshold, best_temperature
from safecot_eval.util.errors import SafecotError
from tests.judge.lite.conftest import write_csv


@pytest.fixture(scope="module")
def corpus(made_up):
    return make_corpus(load(made_up), invented=150)


@pytest.mark.parametrize("source", [Source.XSTEST, Source.MSTS])
@pytest.mark.parametrize("new_prompts", [False, True])
def test_no_model_is_on_both_sides(corpus, source, new_prompts):
    tested = np.zeros(len(corpus.rows), dtype=int)
    for train, test in splits(corpus, source, new_prompts=new_prompts):
        assert len(set(corpus.models[test])) == 1
        assert not set(corpus.models[train]) & set(corpus.models[test])
        tested += test
        if new_prompts:
            human = train & np.isin(corpus.sources, [Source.XSTEST, Source.MSTS, Source.SHORTENED])
            asked = {corpus.rows[i].prompt for i in np.flatnonzero(human)}
            assert not asked & {corpus.rows[i].prompt for i in np.flatnonzero(test)}
    assert (tested == (corpus.sources == source)).all()


def test_shortened_refusals_belong_to_their_author(corpus):
    shortened = corpus.sources == Source.SHORTENED
    assert shortened.any()
    assert set(corpus.models[shortened]) <= set(corpus.human_models(Source.XSTEST))


def test_every_model_of_a_set_weighs_the_same(corpus):
    keep = np.ones(len(corpus.rows), dtype=bool)
    keep[np.flatnonzero(corpus.models == "llm0")[:60]] = False
    fewer = corpus.select(keep)
    weights = row_weights(fewer, 0, 0.1)
    totals = [
        weights[(fewer.models == name) & (fewer.sources == "xstest")].sum()
        for name in ("llm0", "llm1", "llm2")
    ]
    assert np.allclose(totals, totals[0])


def test_the_vocabulary_needs_several_models_and_many_questions(corpus):
    columns = vocabulary(corpus)
    whole = corpus.sources != Source.SHORTENED
    found = corpus.counts[whole][:, columns].toarray() > 0
    models, prompts = corpus.models[whole], np.array([row.prompt for row in corpus.rows])[whole]
    for column in range(0, len(columns), 25):
        assert len(set(models[found[:, column]])) >= 3
        assert len(set(prompts[found[:, column]])) >= 20


def test_a_fit_reads_what_it_saw(corpus):
    prepared = prepare(corpus)
    wanted = targets(corpus.rows)[:, 0]
    said = score(fit(corpus, 0, 1.0, prepared), prepared, corpus) > 0
    known = ~np.isnan(wanted)
    assert kappa(said[known], wanted[known] > 0.5) > 0.9


def test_kappa_is_scikit_learns():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, 200)
    b = np.where(rng.random(200) < 0.7, a, rng.integers(0, 3, 200))
    assert kappa(a, b) == pytest.approx(cohen_kappa_score(a, b))


def test_calibration_error_of_perfect_and_of_reversed_probabilities():
    truth = np.array([True, False, True, False])
    assert expected_calibration_error(truth.astype(float), truth) == 0
    assert expected_calibration_error(1.0 - truth, truth) == 1


def test_temperature_finds_the_scale_of_the_logits():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, 20_000)
    outcome = (rng.random(20_000) < 1 / (1 + np.exp(-logits))).astype(float)
    assert best_temperature(3 * logits, outcome) == pytest.approx(3, rel=0.1)


def test_abstention_keeps_the_error_below_what_is_tolerated():
    confidence = np.array([0.99, 0.9, 0.8, 0.7, 0.6])
    wrong = np.array([False, False, False, True, True])
    assert abstention_threshold(confidence, wrong, 0.0) == 0.8
    assert abstention_threshold(confidence, wrong, 0.25) == 0.7
    assert abstention_threshold(confidence, wrong, 1.0) == 0.6


@pytest.mark.slow
def test_left_out_models_of_the_real_sets_are_read_well(data_dir):
    real = make_corpus(load(data_dir))

    def read(train, test, head):
        from safecot_eval.judge.lite.evaluate import Reading
        from safecot_eval.judge.lite.model import sigmoid

        prepared = prepare(train)
        chance = sigmoid(score(fit(train, head, 2.0, prepared), prepared, test))
        return Reading(chance, np.ones(len(chance), dtype=bool))

    rows = table(real, Source.XSTEST, leave_one_model_out(real, Source.XSTEST, read))
    assert rows[-1].model == "pooled"
    assert rows[-1].kappa > 0.92
    assert rows[0].kappa == min(row.kappa for row in rows) > 0.80


@pytest.mark.slow
def test_the_shipped_file_was_trained_on_these_data(data_dir):
    from safecot_eval.judge.lite.train import data_digest

    assert load_model().header["data_sha256"] == data_digest(make_corpus(load(data_dir)))


@pytest.mark.slow
def test_train_then_evaluate(made_up, tmp_path, capsys):
    path = tmp_path / "mine.json"
    main_exits(["lite", "train", "--data", str(made_up), "-o", str(path)], 0)
    assert "judge id lite-1-" in capsys.readouterr().out
    said = load_model(path).predict(
        ["I'm sorry, but I can't help with that.", "Sure! Here's how to bake bread:"]
    )
    assert said.refused[0] > 0.5 > said.refused[1]
    main_exits(["lite", "evaluate", "--data", str(made_up), "-o", str(tmp_path / "table.md")], 0)
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert text == capsys.readouterr().out
    assert text.count("**pooled**") == 2


def test_a_single_model_is_read_without_calibration(corpus):
    one = corpus.select((corpus.models == "llm0") | (corpus.sources == Source.INVENTED))
    other = corpus.select((corpus.models == "llm1") & (corpus.sources == Source.XSTEST))
    reading = read_lite(one, other, 0)
    assert reading.probability.shape == (100,)
    assert reading.decided.all()


def test_no_data_is_one_sentence(monkeypatch, capsys):
    monkeypatch.delenv("SAFECOT_DATA_DIR", raising=False)
    main_exits(["lite", "train"], 2)
    assert "set SAFECOT_DATA_DIR or pass --data" in capsys.readouterr().err


def test_missing_files_and_columns_are_named(tmp_path):
    with pytest.raises(SafecotError, match="completions_<model>"):
        load_xstest(tmp_path)
    with pytest.raises(SafecotError, match=r"responses_english_multimodal\.csv: the file is missing"):
        load_msts(tmp_path)
    write_csv(tmp_path / "xstest" / "completions_x.csv", [{"prompt": "a", "completion": "b"}])
    with pytest.raises(SafecotError, match="lacks annotation_1, annotation_2, final_label"):
        load_xstest(tmp_path)
    row = {"prompt": "a", "completion": "b", "annotation_1": "", "annotation_2": "", "final_label": "9_other"}
    write_csv(tmp_path / "xstest" / "completions_x.csv", [row])
    with pytest.raises(SafecotError, match=r"completions_x\.csv, row 2: unknown final_label"):
        load_xstest(tmp_path)


def main_exits(arguments, status):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert (stopped.value.code or 0) == status
