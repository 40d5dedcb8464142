"""Weights that make an encoder's last layer average what the layers below it say, and a head that's linear in that average.

Every tensor is an ordinary one of the architecture, so that the model stays a plain sequence classifier: the attention looks at all
tokens alike (its queries are 0) and passes their mean on, the feed-forward part adds nothing, the pooler is the identity, scaled
down to where tanh is linear. Fine-tuning may start from here; RouteLLM's own head reads the first token, which in a sentence
encoder was never trained to say anything.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from scorers.bert.base import LABELS

Floats = NDArray[np.float64]
_MEAN_WEIGHT: Final = 4.0
"""Of the tokens' mean beside the first token's own state, which the residual connection adds."""
_SMALL: Final = 2.0**-10  # tanh is linear to 1e-4 for features up to 18


def replaced(layers: int) -> tuple[str, ...]:
    """The prefixes of the tensors that are made here, for a model of that many layers."""
    return (f"bert.encoder.layer.{layers - 1}.", "bert.pooler.", "classifier.")


def pool_by_mean(model: Any) -> None:
    """Makes the model's last layer pass the mean on, and its pooler pass that to the classifier."""
    layer = model.bert.encoder.layer[-1]
    attention = layer.attention
    one = torch.eye(model.config.hidden_size)
    with torch.no_grad():
        for module in layer.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.zero_()
                module.bias.zero_()
            elif isinstance(module, torch.nn.LayerNorm):
                module.weight.fill_(1)
                module.bias.zero_()
        attention.self.value.weight.copy_(one)
        attention.output.dense.weight.copy_(one * _MEAN_WEIGHT)
        model.bert.pooler.dense.weight.copy_(one * _SMALL)
        model.bert.pooler.dense.bias.zero_()


def set_classifier(model: Any, direction: Floats, intercepts: Floats) -> None:
    """Logits s + intercepts[0], intercepts[1], -s + intercepts[2], where s = direction · features (see `features`); rounded to 16 bits."""
    weight = np.zeros((LABELS, len(direction)))
    weight[0], weight[2] = direction, -direction
    with torch.no_grad():
        model.classifier.weight.copy_(torch.from_numpy(weight / (_SMALL * np.sqrt(len(direction)))).half())
        model.classifier.bias.copy_(torch.from_numpy(intercepts).half())


def features(model: Any, tokens: torch.Tensor, mask: torch.Tensor) -> Floats:
    """(n, hidden size), each of length 1: what the classifier sees, by the model itself."""
    state: torch.Tensor = model.bert(input_ids=tokens, attention_mask=mask).last_hidden_state[:, 0]
    rows: Floats = (state.double() / state.shape[1] ** 0.5).cpu().numpy()
    return rows


@torch.inference_mode()
def strong_win_rates(model: Any, rows: Floats) -> Floats:
    """(n,), by the model's own pooler and classifier, from features (n, hidden size)."""
    states = torch.from_numpy(rows * np.sqrt(rows.shape[1])).float()
    probabilities: Floats = torch.softmax(model.classifier(model.bert.pooler(states.unsqueeze(1))), dim=-1).double().numpy()
    return 1 - (probabilities[:, 1] + probabilities[:, 2])
