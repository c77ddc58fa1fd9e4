"""An untrained model with an untrained oracle, and a home with a few probes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb
import tiny_models

from latent_probes.common.home import Home

LAYERS = 4
CONTRACT = {
    "act_layer_combinations": [[1, 3]],
    "special_token": " ?",
    "prefix_template": "Layer: {layer}\\n{special_token} * {num_positions} \\n",
    "hook_onto_layer": 1,
    "steering_coefficient": 1.0,
}
CHAT = (
    "{% for message in messages %}<|start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|endoftext|>\n{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
DOCUMENTS = [
    "The river was high that year, and the towns on it were afraid of what would come in spring.",
    "A fox met a crow with a piece of cheese; it praised the voice of the crow until the cheese "
    "fell.",
    "Numbers 1, 2 and 3 were painted on the doors, and nobody knew who had painted them there.",
    "It is said that the bridge was closed at night. The guard had a lamp and a dog.",
    "In the morning the market was full of people, fish, apples and the noise of carts.",
]


def save(
    folder: Path, n_layers: int = LAYERS, hidden_size: int = 32, seed: int = 0, longest: int = 1024
) -> Path:
    """Save a model of Qwen3's kind with a chat template, in whose words " ?" is one token.

    It reads ``longest`` tokens.
    """
    import torch
    import transformers

    tokenizer = tiny_models.tokenizer_of([*DOCUMENTS, *tiny_models.TEXTS, " ? ? ?\n" * 40])
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = transformers.Qwen3Config(
        **(tiny_models.SIZES | {"hidden_size": hidden_size}),
        vocab_size=len(tokenizer),
        num_hidden_layers=n_layers,
        max_position_embeddings=longest,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.3,
    )
    transformers.Qwen3ForCausalLM(config).save_pretrained(folder)
    return folder


def save_adapter(folder: Path, base: Path, contract: dict | None = CONTRACT) -> Path:
    """Save a random adapter of a model, with its contract."""
    import peft
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    torch.manual_seed(1)
    config = peft.LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        init_lora_weights=False,
    )
    peft.get_peft_model(model, config).save_pretrained(str(folder))
    if contract is not None:
        (folder / "ao_config.json").write_text(json.dumps(contract))
    return folder


def save_verbalizer(folder: Path, **others) -> Path:
    """Save a random verbalizer of a model like ``save``'s, with its contract for layer 2."""
    import transformers
    import yaml

    save(folder, seed=7)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    template = "Describe the vector in tags.\n\n<concept>{injection_char}</concept>\n\nPlease."
    shown = tokenizer.apply_chat_template(
        [{"role": "user", "content": template.replace("{injection_char}", "?")}],
        tokenize=False,
        add_generation_prompt=True,
    )
    ids = tokenizer(shown, add_special_tokens=False)["input_ids"]
    (token,) = tokenizer("?", add_special_tokens=False)["input_ids"]
    place = ids.index(token)
    stated = {
        "kind": "nla_model",
        "role": "av",
        "schema_version": 2,
        "d_model": 32,
        "extraction_layer_index": 2,
        "extraction": {"injection_scale": 40.0, "mse_scale": 5.66},
        "tokens": {
            "injection_char": "?",
            "injection_token_id": token,
            "injection_left_neighbor_id": ids[place - 1],
            "injection_right_neighbor_id": ids[place + 1],
        },
        "prompt_templates": {"av": template},
    }
    (folder / "nla_meta.yaml").write_text(yaml.safe_dump(stated | others))
    return folder


def home_in(folder: Path) -> Home:
    """A home whose warehouse has three probes of each document, and only the tables they need."""
    home = Home(folder, folder)
    home.export.mkdir(parents=True)
    (home.export / "manifest.json").write_text('{"build": "b", "rounds": [{"round_idx": 1}]}')
    documents, probes, states = [], [], []
    for number, text in enumerate(DOCUMENTS):
        document_id = f"d{number}"
        text_hash = hashlib.md5(text.encode()).hexdigest()
        documents.append((document_id, text_hash, "base", document_id, 0, 5, text))
        other = f"d{(number + 1) % len(DOCUMENTS)}"
        for slot, (scope, target, place) in enumerate(
            [("word", "suffix", 3), ("lens", "suffix", 6), ("sentence", "prefix", 8)]
        ):
            words = text.split(" ")
            split = len(" ".join(words[:place]))
            atom = (split, split + 9) if target == "suffix" else (split - 7, split)
            probe_id = f"{document_id}-{slot}"
            probes.append(
                (
                    *(probe_id, 1, "base", document_id, document_id, slot, scope, target),
                    *(f"What is said {slot}?", *atom, " a wrong answer"),
                )
            )
            states.append((probe_id, "real_state", document_id, split))
            states.append((probe_id, "other_document_state", other, split + 2))
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute(
            """
            create table documents (
                document_id varchar, text_hash varchar, source_model varchar, doc_id varchar,
                continuation_idx bigint, prefix_length bigint, text varchar
            );
            create table probes (
                probe_id varchar, round_number bigint, source_model varchar, doc_id varchar,
                document_id varchar, slot_idx bigint, scope varchar, target varchar,
                verbalizer_prompt varchar, atom_start bigint, atom_end bigint,
                incorrect_plausible_answer varchar
            );
            create table oracle_states (
                probe_id varchar, condition varchar, document_id varchar, split_offset bigint
            );
            create table round_settings as
            select 1 as round_number, false as is_calibration, 'started' as state;
            """
        )
        for table, rows in (
            ("documents", documents),
            ("probes", probes),
            ("oracle_states", states),
        ):
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"insert into {table} values ({marks})", rows)
    return home
