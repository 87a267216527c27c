"""Why lmms-eval has no data set, from the errors that the hub's clients raise, wrapped as lmms-eval wraps them."""

from __future__ import annotations

import httpx
import pytest
import tenacity
from datasets.exceptions import DatasetNotFoundError
from huggingface_hub.errors import GatedRepoError, LocalTokenNotFoundError

from safecot_eval.generate.lmms_eval import _user_mistake
from safecot_eval.util import hub

OFFLINE = ConnectionError("Couldn't reach 'owner/POPE' on the Hub (OfflineModeIsEnabled)")
REPLY = httpx.Response(403, request=httpx.Request("GET", "https://example.org"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OFFLINE, "Couldn't reach 'owner/POPE' on the Hub (OfflineModeIsEnabled); unset HF_HUB_OFFLINE"),
        (LocalTokenNotFoundError("Token is required"), "run `hf auth login` first"),
        (GatedRepoError("no", response=REPLY), "accepted its terms"),
        (
            DatasetNotFoundError("Dataset 'a/b' doesn't exist on the Hub"),
            "DatasetNotFoundError: Dataset 'a/b'",
        ),
    ],
)
def test_a_data_set_that_is_not_loaded_is_one_sentence(error: Exception, words: str) -> None:
    @tenacity.retry(stop=tenacity.stop_after_attempt(1))
    def load() -> None:
        raise error

    with pytest.raises(tenacity.RetryError) as caught:
        load()
    told = _user_mistake(caught.value)
    assert told is not None
    assert words in str(told)


@pytest.mark.parametrize(
    "error", [ConnectionError("refused by the model's server"), KeyError("answer"), OSError("disk")]
)
def test_other_errors_are_not_the_hubs(error: Exception) -> None:
    assert hub.why_nothing(error) == ""
