"""The words by which a written thought is judged: one small table per language, all of the same shape (:mod:`.table`)."""

from safecot_training.cot.thought_words.chinese import CHINESE
from safecot_training.cot.thought_words.english import ENGLISH
from safecot_training.cot.thought_words.spanish import SPANISH

LANGUAGES = (ENGLISH, CHINESE, SPANISH)
"""Languages whose words for safe and unsafe are known. A text in another is not judged."""
