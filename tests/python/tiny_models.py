"""Untrained models with a few layers, and their tokenizer."""

from __future__ import annotations

from pathlib import Path

END = "<|endoftext|>"
TEXTS = [
    "The first page is about rivers and the towns on them.",
    "Æsop told it: a fox, a crow, 乌鸦 and a piece of cheese 🧀 that fell",
    "Short",
    "Numbers 1, 2 and 3; then the same again, 1, 2 and 3, and so on until nobody counts",
    "It is said that <|endoftext|> stands at the end",
]
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
}


def tokenizer_of(texts: list[str]):
    """A byte-level tokenizer with the merges that a few texts give."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=[END, "<|start|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)


def save(folder: Path, longest: int, spread: float = 0.4) -> Path:
    """Save a model of Qwen3's kind that reads ``longest`` tokens, and its tokenizer.

    With a wide ``spread`` of its weights it prefers some tokens to others; its states are large.
    """
    import torch
    import transformers

    tokenizer = tokenizer_of(TEXTS)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.Qwen3Config(
        **SIZES,
        vocab_size=len(tokenizer),
        num_hidden_layers=2,
        max_position_embeddings=longest,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=spread,
    )
    model = transformers.Qwen3ForCausalLM(config)
    # What comes with a model is not what is sampled with.
    model.generation_config.update(do_sample=True, top_k=1, temperature=0.1)
    model.save_pretrained(folder)
    return folder
