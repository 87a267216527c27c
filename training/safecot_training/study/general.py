"""General mini data: what a base model learns before anybody speaks of safety.

Captions and questions about drawn scenes (objects, colours, places, counts, icons and what they stand for, typography),
instructions with helpful answers, and sentences to continue. The base answers everything: it has no notion of refusing,
but it has met the words of refusals and of safety thoughts, as any language model has.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from safecot_eval.benchmarks import mini
from safecot_eval.benchmarks.mini.scenes import random_scene
from safecot_eval.records.samples import Expectation
from safecot_eval.util.files import write_bytes
from safecot_training.cot.templates import Pool, Templates, load_templates
from safecot_training.data.examples import GENERAL_CATEGORY, Example, Kind
from safecot_training.data.refusals import load_refusals
from safecot_training.study.scene_writer import example_thoughts

SOURCE = "mini_general"
NUMBERS = ("no", "one", "two", "three")


def scene_questions(scene: mini.Scene) -> dict[str, tuple[tuple[str, ...], str]]:
    """Kinds of questions about a scene: wordings, and the answer.

    >>> scene = mini.Scene("lock", "eye", "red", "white", "left", True, 1, mini.Style.FLAT)
    >>> scene_questions(scene)["mark"][1]
    'The mark is an eye.'
    """
    thing, mark = scene.object, _with_article(scene.mark)
    dots = f"{NUMBERS[scene.dots]} dot{'' if scene.dots == 1 else 's'}"
    size = "large" if scene.large else "small"
    return {
        "caption": (
            (
                "Describe this image.",
                "What is in the image?",
                "Give a short caption.",
                "What can you see here?",
            ),
            f"It shows {mini.describe(scene)}.",
        ),
        "detail": (
            ("Describe the image in detail.", "Tell me everything about the image."),
            f"It shows {mini.describe(scene)}. The {thing} is {size} and stands {_where(scene)}, with {dots} below, "
            f"on a {scene.ground} ground. The {scene.mark} means {mini.meaning(scene)}.",
        ),
        "mark": (
            (
                "Which mark do you see?",
                f"What is drawn on the {thing}?",
                "Identify the mark.",
                "What is the icon?",
            ),
            f"The mark is {mark}.",
        ),
        "object": (
            ("Which object is it?", "What thing is shown?", "Name the object."),
            f"The object is {_with_article(thing)}.",
        ),
        "colour": (
            ("What is the main colour?", f"Is the {thing} red, blue or something else?", "Name the colour."),
            f"The {thing} is {scene.colour}.",
        ),
        "dots": (("How many dots do you see?", "Count the dots."), f"There are {dots}."),
        "place": ((f"Where is the {thing}?", "On which side is it?"), f"It stands {_where(scene)}."),
        "meaning": (
            (
                "What does the mark mean?",
                f"What does the sign on the {thing} stand for?",
                "Explain the icon.",
            ),
            f"The {scene.mark} means {mini.meaning(scene)}.",
        ),
    }


WEIGHTS = {
    "caption": 3,
    "detail": 5,
    "mark": 3,
    "object": 2,
    "colour": 2,
    "dots": 2,
    "place": 1,
    "meaning": 3,
}
"""How often each kind is asked. Details and marks dominate because they say most about a picture."""


def general_examples(
    count: int,
    folder: Path,
    *,
    seed: int,
    styles: Sequence[mini.Style] = tuple(mini.Style),
    instructions: bool = True,
    categories: Sequence[str] | None = None,
    split: mini.Split = mini.Split.TRAIN,
) -> list[Example]:
    """Draw general examples.

    Args:
        count: How many.
        folder: Where pictures go.
        seed: Of scenes and questions.
        styles: Styles of the pictures.
        instructions: Also helpful answers to instructions and sentences to continue (the base's diet); otherwise
            captions and questions only (the general half of a fine-tuning mixture).
        categories: Whose objects the pictures show; all by default.
        split: Whose scenes.
    """
    rng = random.Random(f"general/{seed}/{split}")
    world = mini.world()
    shown = [world.categories[name] for name in categories or world.categories]
    marks = [*world.unsafe_marks, *world.benign_marks]
    continuations, refusals, sentences = (
        (_continuations(), _refusals(), _whole_sentences()) if instructions else ([], [], [])
    )
    found: list[Example] = []
    for number in range(count):
        draw = rng.random()
        if instructions and draw < 0.24:
            pool = continuations if draw < 0.12 else refusals if draw < 0.18 else sentences
            question, answer = rng.choice(pool)
            found.append(_example(number, question, answer, ()))
            continue
        category = rng.choice(shown)
        scene = random_scene(rng, category.object, rng.choice(marks), split, styles)
        if instructions and draw < 0.4:
            wordings = rng.choice((category.use.train, category.use.train, category.harm.train))
            question, answer = rng.choice(wordings), category.answer
        else:
            kinds = scene_questions(scene)
            wordings, answer = kinds[rng.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]]
            question = rng.choice(wordings)
        found.append(_example(number, question, answer, (place(scene, folder),), mini.describe(scene)))
    return found


def held_out_questions(count: int, seed: int = 0) -> list[tuple[mini.Scene, str, str, str]]:
    """(scene, kind, question, answer) about scenes of the evaluation split: the base's general capability."""
    rng = random.Random(f"capability/{seed}")
    world = mini.world()
    objects = [category.object for category in world.categories.values()]
    marks = [*world.unsafe_marks, *world.benign_marks]
    found = []
    kinds = [kind for kind in WEIGHTS if kind != "detail"]
    for number in range(count):
        scene = random_scene(rng, rng.choice(objects), rng.choice(marks), mini.Split.EVALUATION)
        kind = kinds[number % len(kinds)]
        wordings, answer = scene_questions(scene)[kind]
        found.append((scene, kind, rng.choice(wordings), answer))
    return found


def place(scene: mini.Scene, folder: Path) -> Path:
    """Write a scene's picture, once."""
    content = mini.png_bytes(scene)
    name = "-".join(str(value) for value in (
        scene.object, scene.mark, scene.colour, scene.ground, scene.place, int(scene.large), scene.dots, scene.style
    ))  # fmt: skip
    path = folder / f"{name}.png"
    if not path.is_file():
        write_bytes(path, content)
    return path


def _refusals() -> list[tuple[str, str]]:
    """The refusal sentences on explicit demand: a base that cannot utter them cannot be taught when to."""
    asked = ("Say no politely.", "Write a refusal.", "How do you decline?")
    return [(question, sentence) for question in asked for sentence in load_refusals()]


def _whole_sentences() -> list[tuple[str, str]]:
    """Templates of v1 and thoughts of v2 as single sentences about a topic, safe or not, without a picture."""
    templates = load_templates()
    asked = [("Write a sentence about safety.", sentence) for sentence in templates.accept]
    asked += [("Write a sentence about safety.", sentence) for sentence in example_thoughts()]
    for pool in _mini_pools(templates):
        asked += [
            (f"Write a sentence about {pool.name}.", wording.format(category=pool.name))
            for wording in pool.refuse
        ]
    return asked


def _continuations() -> list[tuple[str, str]]:
    """The same sentences, cut in two."""
    whole = [sentence for _, sentence in (*_refusals(), *_whole_sentences())]
    cut = []
    for sentence in dict.fromkeys(whole):
        words = sentence.split()
        middle = max(2, min(4, len(words) - 1))
        if len(words) > middle:
            cut.append((f"Continue: {' '.join(words[:middle])}", " ".join(words[middle:])))
    return cut


def _mini_pools(templates: Templates) -> list[Pool]:
    return [templates.pool(name) for name in mini.world().categories]


def _example(
    number: int, question: str, answer: str, images: tuple[Path, ...], description: str = ""
) -> Example:
    return Example(
        example_id=f"{SOURCE}-{number:06d}",
        query=question,
        category=GENERAL_CATEGORY,
        expectation=Expectation.ANSWER,
        answer=answer,
        images=images,
        source=SOURCE,
        cluster_id=f"{SOURCE}/{number}",
        kind=Kind.GENERAL,
        description=description,
    )


def _where(scene: mini.Scene) -> str:
    return "in the middle" if scene.place == "middle" else f"on the {scene.place}"


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
