"""A small transformer classifier trained from scratch, for comparison with safecot-lite; not part of the package."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

WIDTH, HEADS, LAYERS, LENGTH, EPOCHS, BATCH = 96, 4, 2, 64, 4, 32
PADDING, UNKNOWN, SEPARATOR = 0, 1, 2
_WORD = re.compile(r"\w+|[^\w\s]")


class Classifier(nn.Module):
    """Word and position embeddings, two encoder layers, mean over words, one logit."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.word = nn.Embedding(words, WIDTH, padding_idx=PADDING)
        self.place = nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 2 * WIDTH, dropout=0.2, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.out = nn.Linear(WIDTH, 1)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits of shape (batch,) for word ids of shape (batch, length)."""
        padded = ids == PADDING
        hidden = self.word(ids) + self.place(torch.arange(ids.shape[1]))
        hidden = self.encoder(hidden, src_key_padding_mask=padded)
        kept = (~padded).unsqueeze(-1)
        return self.out((hidden * kept).sum(1) / kept.sum(1)).squeeze(-1)


def words_of(text: str) -> list[str]:
    """Words and punctuation marks, lower case."""
    return _WORD.findall(text.lower())


def encode(texts: Sequence[tuple[str, str]], index: dict[str, int]) -> Tensor:
    """Ids of prompt (at most 24 words), separator and answer (beginning and end), shape (n, LENGTH)."""
    rows = np.zeros((len(texts), LENGTH), dtype=np.int64)
    for row, (prompt, answer) in enumerate(texts):
        asked = [index.get(word, UNKNOWN) for word in words_of(prompt)[:24]]
        said = [index.get(word, UNKNOWN) for word in words_of(answer)]
        room = LENGTH - len(asked) - 1
        if len(said) > room:
            said = said[: room - 16] + said[-16:]
        ids = [*asked, SEPARATOR, *said]
        rows[row, : len(ids)] = ids
    return torch.from_numpy(rows)


def train_and_read(
    texts: Sequence[tuple[str, str]],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
    test: Sequence[tuple[str, str]],
) -> NDArray[np.float64]:
    """Train on (prompt, answer) pairs with 0/1 labels and weights; logits of the test pairs, shape (len(test),)."""
    torch.manual_seed(0)
    count = Counter(word for pair in texts for text in pair for word in words_of(text))
    index = {word: place + 3 for place, word in enumerate(w for w, n in count.items() if n >= 3)}
    ids, wanted = encode(texts, index), torch.tensor(labels, dtype=torch.float32)
    weight = torch.tensor(weights, dtype=torch.float32)
    model = Classifier(len(index) + 3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    steps = EPOCHS * -(-len(ids) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps)
    loss_of = nn.BCEWithLogitsLoss(reduction="none")
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(ids)).split(BATCH):
            loss = (loss_of(model(ids[batch]), wanted[batch]) * weight[batch]).sum() / weight[batch].sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        return np.concatenate([model(part).numpy() for part in encode(test, index).split(256)]).astype(float)
