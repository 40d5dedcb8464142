"""A directory of the layout of `routellm/bert_gpt4_augmented`, of tiny width: XLM-RoBERTa's keys, vocabulary and positions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

from tests.unit.scorers.bert.reference import WORDS

VOCABULARY = 250_002


def write_public(folder: Path, *, labels: int = 3) -> Any:
    """Writes config, weights and tokenizer, and what else RouteLLM's repository has; returns the model."""
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=VOCABULARY,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=514,
        type_vocab_size=1,
        num_labels=labels,
        initializer_range=0.8,
    )
    model = XLMRobertaForSequenceClassification(config).eval()
    model.save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 512, "tokenizer_class": "XLMRobertaTokenizer"}))
    for pickle in ("optimizer.pt", "training_args.bin", "pytorch_model.bin"):
        (folder / pickle).write_bytes(b"cos\n_exit\n(I1\ntR.")
    return model


def tokenizer() -> Tokenizer:
    """Words to ids in XLM-RoBERTa's numbering: <s> 0, <pad> 1, </s> 2, <unk> 3."""
    ids = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3} | {word: 4 + 8_000 * i for i, word in enumerate(dict.fromkeys([*WORDS, "a"]))}
    made = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return made
