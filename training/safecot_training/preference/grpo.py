"""TRL's GRPOTrainer on training questions: answers are sampled, rewarded, and compared within their group (2402.03300)."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from trl.data_utils import apply_chat_template, prepare_multimodal_messages

from safecot_eval.benchmarks.images import open_image
from safecot_eval.records.samples import Expectation
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import counted
from safecot_training.cot.targets import Marker
from safecot_training.preference.batches import require_computable
from safecot_training.preference.reward_reader import RewardReader, reader_of
from safecot_training.preference.rewards import REWARDS, Sampled, sampled
from safecot_training.preference.trl_without_vllm import (
    GRPOConfig,
    GRPOTrainer,
    RepeatSampler,
    add_fused_lm_head,
)
from safecot_training.sft.collator import AnswerCollator
from safecot_training.sft.devices import is_sharded
from safecot_training.sft.families import Family
from safecot_training.sft.loading import load_model, resumes_here
from safecot_training.sft.recipe import Method, Recipe
from safecot_training.sft.trainer import Resumable, adapter_config, callbacks, common_arguments
from safecot_training.sft.turns import prompt_inputs

_PASSED_ON = frozenset({
    "input_ids", "attention_mask", "pixel_values", "image_grid_thw", "pixel_attention_mask", "spatial_shapes", "image_sizes",
    "token_type_ids", "mm_token_type_ids", "image_position_ids",
})  # fmt: skip
"""What TRL's trainer passes on to a model when it computes an answer's probability."""


@dataclass
class Questions:
    """TRL samples the answers itself, so a batch is the rows as they are.

    Attributes:
        single: Of the base: processor and shape of an answer.
        epoch: Wordings of targets do not matter here.
    """

    single: AnswerCollator
    epoch: int | None = None

    @property
    def processor(self) -> Any:
        """Of the base."""
        return self.single.processor

    @property
    def shape(self) -> Any:
        """What stands around an answer."""
        return self.single.shape

    def __call__(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows."""
        return rows


class GroupedEpochs(RepeatSampler):  # type: ignore[misc]
    """TRL's groups, each epoch in an order of its own by seed and epoch: the same after an interruption."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the order."""
        self.generator.manual_seed(self.seed * 1_000_003 + epoch)


class RewardFunctions:
    """The recipe's rewards in the form that TRL calls: one function each, which share the reading of a batch."""

    def __init__(self, reader: RewardReader, weights: Mapping[str, float], stops: Sequence[int]) -> None:
        self.reader = reader
        self.weights = {name: weight for name, weight in weights.items() if weight}
        self.stops = frozenset(stops)
        self._read: tuple[Any, list[Sampled]] = (None, [])

    def functions(self) -> list[Any]:
        """In the order of ``weights``."""
        return [self._function(name) for name in self.weights]

    def _function(self, name: str) -> Any:
        def reward(completions: list[Any], completion_ids: list[list[int]], **columns: Any) -> list[Any]:
            return [REWARDS[name](answer) for answer in self._answers(completions, completion_ids, columns)]

        reward.__name__ = name
        return reward

    def _answers(
        self, completions: list[Any], completion_ids: list[list[int]], columns: Mapping[str, Any]
    ) -> list[Sampled]:
        if self._read[0] is not completions:  # TRL hands every reward the same list
            rows = [
                {key: columns[key][number] for key in ("id", "asked", "target", "expectation", "marker")}
                for number in range(len(completions))
            ]
            answers = [
                sampled(
                    {**row, "prompt": row["asked"], "completion": row["target"]},
                    said[0]["content"],
                    ended=bool(ids) and ids[-1] in self.stops,
                    marker=Marker(row["marker"] or Marker.SAFETY_REASONING).pair,
                )
                for row, said, ids in zip(rows, completions, completion_ids, strict=True)
            ]
            self._read = completions, self.reader.read(answers)
        return self._read[1]


class GroupTrainer(Resumable, GRPOTrainer):  # type: ignore[misc]
    """GRPOTrainer that resumes as ours do, and leaves an answer out that lacks a reward which its question has.

    TRL adds up the rewards that there are: an answer whose judge failed would count as one that earned nothing.
    """

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        rows = self.train_dataset if dataset is None else dataset
        self._sampler = GroupedEpochs(
            rows,
            mini_repeat_count=self.num_generations,
            batch_size=self.args.generation_batch_size // self.num_generations,
            repeat_count=self.num_iterations * self.args.steps_per_generation,
            seed=self.args.data_seed,
        )
        return self._sampler

    def _tokenize_prompts(self, prompts: Any) -> Any:
        """Name no picture as an empty list: a processor does not take None beside pictures."""
        ids, images, fields = super()._tokenize_prompts(prompts)
        return ids, None if images is None else [each or [] for each in images], fields

    def _calculate_rewards(self, *arguments: Any) -> Any:
        rewards = super()._calculate_rewards(*arguments)
        own = [row["expectation"] == Expectation.ANSWER for row in arguments[0]]
        to_answer = self.accelerator.gather(
            torch.tensor(own, device=rewards.device)
        )  # as TRL gathers the rewards
        of_answered = torch.tensor([name == "acceptance" for name in self.reward_func_names])
        left_out = incomplete(rewards, to_answer, of_answered.to(rewards.device))
        self._metrics["train"]["left_out"].append(left_out.float().mean().item())
        rewards[left_out] = torch.nan
        return rewards


def incomplete(rewards: torch.Tensor, to_answer: torch.Tensor, of_answered: torch.Tensor) -> torch.Tensor:
    """Answers that lack a reward which their question has, or have none at all.

    Args:
        rewards: Shape (answers, rewards); NaN is none.
        to_answer: Whether the question of each answer is to be answered, shape (answers,).
        of_answered: Whether each reward is for such questions alone, shape (rewards,); the others are for every question.

    Returns:
        Booleans of shape (answers,).

    >>> nan = torch.nan  # the second reward is for what is to be answered; the first failed once, and the second
    >>> found = torch.tensor([[1.0, nan], [nan, nan], [1.0, 0.0], [0.0, nan]])
    >>> incomplete(found, torch.tensor([False, False, True, True]), torch.tensor([False, True])).tolist()
    [False, True, False, True]
    """
    applies = ~of_answered | to_answer[:, None]
    missing = torch.isnan(rewards)
    return (missing & applies).any(dim=1) | missing.all(dim=1)


def build_group_trainer(
    recipe: Recipe,
    arguments: Any,
    model: Any,
    collator: AnswerCollator,
    dataset: Any,
    family: Family,
    validation: Any = None,
) -> GroupTrainer:
    """Set up the trainer; ``beta`` binds it to the base as it was loaded (for adapters, without the adapter).

    Raises:
        SafecotError: a base that TRL's trainer cannot ask or compute, too few questions, or no judge.
    """
    processor = copy.deepcopy(collator.processor)
    processor.tokenizer.padding_side = "left"
    require_computable(recipe, model)
    require_same_prompts(recipe, model, collator, dataset)
    questions = recipe.batch_size * recipe.gradient_accumulation // recipe.generations
    if len(dataset) < questions:
        raise SafecotError(
            f"{recipe.data}: {counted(len(dataset), 'question')}, fewer than the {questions} of one step (batch_size × gradient_accumulation "
            "/ generations); lower one of them."
        )
    ends = model.generation_config.eos_token_id
    stops = [processor.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])]
    rewards = RewardFunctions(reader_of(recipe.rewards), recipe.rewards.weights, stops)
    arguments.reward_weights = list(rewards.weights.values())
    trainer = GroupTrainer(
        model=model,
        reward_funcs=rewards.functions(),
        args=arguments,
        train_dataset=dataset.with_transform(_asked),
        processing_class=processor,
        peft_config=adapter_config(recipe, family),
        callbacks=callbacks(recipe),
    )
    trainer.data_collator = Questions(collator)
    if recipe.bond and recipe.method is Method.FULL:
        # TRL would load it from where the model came from, which is a checkpoint where a run is gone on with.
        trainer.beta = recipe.bond
        reference = load_model(recipe, family)
        add_fused_lm_head(reference, temperature=recipe.temperature)
        trainer.ref_model = trainer.accelerator.prepare_model(reference, evaluation_mode=True)
    trainer.settle(weights_are_loaded=resumes_here(recipe))
    return trainer


def _asked(batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """What TRL and the rewards need of some rows, with their pictures opened."""
    return {
        "id": batch["id"],
        "prompt": batch["prompt"],
        "images": [[open_image(Path(path)) for path in paths] for paths in batch["images"]],
        "asked": batch["prompt"],
        "target": batch["completion"],
        "expectation": batch["expectation"],
        "marker": batch["marker"],
    }


def require_same_prompts(recipe: Recipe, model: Any, collator: AnswerCollator, dataset: Any) -> None:
    """Refuse a base that TRL's trainer would ask otherwise than it will be asked, or whose batches it cannot make.

    One row of each number of pictures is tried.

    Raises:
        SafecotError: naming what differs.
    """
    kind, other = model.config.model_type, "tune it with `safecot train dpo` or `kto`."
    if getattr(model.config, "image_token_id", None) is None:
        raise SafecotError(
            f"{recipe.base_model}: TRL's GRPO trainer knows no image token of a {kind}; {other}"
        )
    rows = list({len(row["images"]): row for row in reversed(dataset)}.values())
    pictures = [[open_image(Path(path)) for path in row["images"]] for row in rows]
    alone = [
        prompt_inputs(collator.processor, row["prompt"], shown)
        for row, shown in zip(rows, pictures, strict=True)
    ]
    if unknown := sorted(set().union(*alone) - _PASSED_ON):
        raise SafecotError(
            f"{recipe.base_model}: TRL's GRPO trainer does not pass {', '.join(unknown)} on to a {kind}; {other}"
        )
    processor = copy.deepcopy(collator.processor)
    processor.tokenizer.padding_side = "left"
    try:
        together = _asked_by_trl(processor, rows, pictures)
    except Exception as error:  # every family's processor fails in its own way
        reason = " ".join(str(error).split())[:150]
        raise SafecotError(
            f"{recipe.base_model}: TRL's GRPO trainer cannot make a batch of a {kind} from these rows ({reason}); {other}"
        ) from error
    for row, ours, theirs in zip(rows, alone, together, strict=True):
        if theirs != ours["input_ids"][0].tolist():
            raise SafecotError(
                f"{recipe.base_model}: TRL's GRPO trainer asks sample {row['id']} in other tokens than the model will be asked "
                f"in; {other}"
            )


def _asked_by_trl(processor: Any, rows: Sequence[Mapping[str, Any]], pictures: list[Any]) -> list[list[int]]:
    """Prompts as TRL's trainer encodes them to sample answers and to compute them; returns their tokens."""
    prompts = [
        prepare_multimodal_messages(row["prompt"], images=shown)
        for row, shown in zip(rows, pictures, strict=True)
    ]
    encoded = processor.apply_chat_template(
        conversation=prompts, add_generation_prompt=True, tokenize=True, return_dict=True
    )
    for value in encoded.values():
        if not torch.is_tensor(value) and not (isinstance(value, list) and isinstance(value[0], list)):
            torch.tensor(np.array(value))
    if any(pictures):
        texts = [apply_chat_template({"prompt": prompt}, processor)["prompt"] for prompt in prompts]
        processor(images=pictures, text=texts, padding=True, return_tensors="pt")
    return [list(ids) for ids in encoded["input_ids"]]


def group_arguments(recipe: Recipe, out: Any) -> Any:
    """TRL's configuration of GRPO.

    Raises:
        SafecotError: a reference beside a sharded model.
    """
    full = recipe.method is Method.FULL
    if recipe.bond and full and (sharded := is_sharded()):
        raise SafecotError(
            f"beta: {recipe.bond:g} with method: full needs a second model beside the one that {sharded} shards; set beta: 0, or "
            "use method: lora."
        )
    return GRPOConfig(
        **common_arguments(recipe, out),
        num_generations=recipe.generations,
        max_completion_length=recipe.max_completion_tokens,
        temperature=recipe.temperature,
        beta=0.0 if full else recipe.bond,
        disable_dropout=True,  # an answer's probability is that of the model which sampled it
    )
