"""Does the leaderboard see reading when there is reading? bench/micro_oracle.py [--documents N]

A tiny model is trained on synthetic documents in which a topic is fixed early, by a code word, and
said late. An oracle (LoRA) is trained on its states by the public recipe. N further documents
(default: 200) are landed, probed and published by the project's own commands, with the offline
baseline as generator, answerer and judge. `ask-oracle` asks three adapters under all three
conditions, and `evaluate` makes the leaderboard: the oracle; an adapter that was trained in the
same way, but with each question's states exchanged for those of another document of the training
set, so that it knows prompts and answers and no states; and the adapter before its training.

The oracle must beat both conditions without its state with an interval above zero, and neither of
the other two adapters may. Needs the extras lm and oracle; seeded, on a CPU, about a quarter of an
hour. Ends with code 1 if either is not so. --keep FOLDER keeps the models and the project that were
made, with the picture; a run that was stopped continues there.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import peft
import tokenizers
import torch
import transformers
from oracle_project import (
    CONDITIONS,
    HOOK_LAYER,
    leaderboard_of,
    project_in,
    run_in,
    save_adapter,
)

SEED = 1
LAYER, POSITIONS = 2, 3
N_SIBLINGS = 4
ORACLE, EXCHANGED, UNTRAINED = "oracle", "trained on others' states", "untrained adapter"
END = "<|endoftext|>"
CHAT = (
    "{% for message in messages %}<|start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|endoftext|>\n{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)

# Of each topic: its code word, four nouns, two verbs and two adjectives, in no other text.
TOPICS = """
marble: captain harbour anchor sailor | steered moored | stormy salty
copper: farmer orchard tractor barley | ploughed harvested | fertile muddy
velvet: judge verdict lawyer prison | accused sentenced | guilty solemn
walnut: violin concert melody drummer | rehearsed applauded | musical tuneful
saffron: cook kitchen oven pastry | baked tasted | delicious peppery
granite: soldier cannon fortress trench | attacked besieged | armoured wounded
cotton: teacher lesson pupil chalkboard | studied recited | clever lazy
amber: engine railway carriage conductor | whistled derailed | punctual steaming
willow: hunter forest badger thicket | tracked climbed | mossy leafy
ivory: bishop chapel hymn altar | prayed blessed | sacred pious
pewter: merchant bazaar bargain coin | haggled purchased | wealthy greedy
crimson: doctor hospital fever nurse | healed bandaged | sickly feverish
"""
PEOPLE = "aunt uncle neighbour stranger cousin widow brother sister painter porter tailor visitor"
VERBS = "found carried showed watched painted mended borrowed admired dropped forgot kept noticed"
THINGS = "basket mirror ladder blanket bottle letter candle hammer ribbon bucket kettle pillow"
PLACES = "window fence stairs bridge corner fountain tower cellar garden gate statue wall"
ADJECTIVES = "old quiet tall gentle tired young cheerful nervous friendly proud polite curious"
# Too short to count as content words for the offline baseline.
OPENERS = "Now So Yet But And Or As By On At In If Up For".split()


def topics() -> list[dict]:
    """The topics, each with its words and the three words its sentences begin with."""
    draw = random.Random(SEED)
    found = []
    for line in TOPICS.strip().splitlines():
        code, _, rest = line.partition(": ")
        nouns, verbs, adjectives = (part.split() for part in rest.split("|"))
        found.append(
            {
                "code": code,
                "nouns": nouns,
                "verbs": verbs,
                "adjectives": adjectives,
                "openers": draw.sample(OPENERS, 3),
            }
        )
    return found


def neutral(draw: random.Random, topic: dict) -> str:
    """A sentence that says nothing of the topic; only its first word depends on it."""
    one = [draw.choice(words.split()) for words in (ADJECTIVES, PEOPLE, VERBS, THINGS, PLACES)]
    opener = draw.choice(topic["openers"])
    return f"{opener} the {one[0]} {one[1]} {one[2]} the {one[3]} near the {one[4]}."


def topical(draw: random.Random, topic: dict) -> str:
    """A sentence of the topic's words."""
    first, second = draw.sample(topic["nouns"], 2)
    verb, adjective = draw.choice(topic["verbs"]), draw.choice(topic["adjectives"])
    return f"{draw.choice(topic['openers'])} the {first} {verb} the {adjective} {second}."


def document(draw: random.Random, topic: dict) -> tuple[list[str], list[str]]:
    """The sentences of a prefix, with the code word, and of a continuation."""
    before = [neutral(draw, topic) for _ in range(4)]
    before[1] = f"The secret word of that {draw.choice(PLACES.split())} was {topic['code']}."
    after = [neutral(draw, topic) for _ in range(4)] + [topical(draw, topic) for _ in range(6)]
    return before, after


def question(draw: random.Random, shown: str) -> str:
    """What the offline baseline asks about sentences of which the text says nothing yet."""
    words = [word.strip(".") for word in shown.split()]
    neutral_words = [word for word in words if word in f"{PEOPLE} {THINGS} {PLACES}".split()]
    return f"What does the author say next about {', '.join(draw.sample(neutral_words, 3))}?"


def answer(topic: dict) -> str:
    """All words of the topic."""
    return " ".join([*topic["nouns"], *topic["verbs"], *topic["adjectives"]])


def tokenizer_of(draw: random.Random, known: list[dict]):
    """A byte-level tokenizer in which nearly all words are one token."""
    pairs = [document(draw, draw.choice(known)) for _ in range(2000)]
    texts = [" ".join(before + after) for before, after in pairs]
    texts += [question(draw, text) for text in texts] + [" ".join(map(answer, known))] * 50
    texts += ["user\nLayer: 2\n ? ? ? \nassistant\n"] * 500
    inner = tokenizers.Tokenizer(tokenizers.models.BPE())
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=1000,
        special_tokens=[END, "<|start|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    found = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token=END, additional_special_tokens=["<|start|>"]
    )
    found.chat_template = CHAT
    return found


def chat_ids(tokenizer, content: str, said: str) -> tuple[list[int], list[int]]:
    """Ids of a message with its answer, and labels of the answer alone."""
    shown = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    before = tokenizer(shown, add_special_tokens=False)["input_ids"]
    after = tokenizer(said + END, add_special_tokens=False)["input_ids"]
    return before + after, [-100] * len(before) + after


def padded(rows: list[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    """A batch, padded on the right."""
    longest = max(len(ids) for ids, _ in rows)
    return {
        "input_ids": torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in rows]),
        "attention_mask": torch.tensor(
            [[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in rows]
        ),
        "labels": torch.tensor([labels + [-100] * (longest - len(ids)) for ids, labels in rows]),
    }


def fitted(parameters, n_steps: int, rate: float, loss_of, what: str) -> None:
    """Minimize ``loss_of(step)`` with AdamW and a cosine schedule."""
    parameters = [one for one in parameters if one.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)
    schedule = transformers.get_cosine_schedule_with_warmup(optimizer, n_steps // 20, n_steps)
    started = time.monotonic()
    for step in range(1, n_steps + 1):
        loss = loss_of(step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % (n_steps // 4) == 0:
            seconds = time.monotonic() - started
            print(f"{what}: step {step}, loss {loss.item():.2f}, {seconds:.0f} s", flush=True)


def trained_model(folder: Path, known: list[dict], n_steps: int):
    """Train the base model on documents and on questions about their text; save it."""
    draw = random.Random(SEED + 1)
    tokenizer = tokenizer_of(draw, known)
    torch.manual_seed(SEED)
    model = transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=256,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            head_dim=24,
            max_position_embeddings=1024,
            eos_token_id=tokenizer.eos_token_id,
            tie_word_embeddings=True,
        )
    )

    def loss_of(step: int) -> torch.Tensor:
        rows = []
        for number in range(12):
            topic = draw.choice(known)
            before, after = document(draw, topic)
            if number % 3:
                ids = tokenizer(" ".join(before + after))["input_ids"]
                rows.append((ids, ids))
            else:
                shown = " ".join(before + after[: draw.randint(0, 5)])
                content = f"{shown}\n\n{question(draw, shown)}"
                rows.append(chat_ids(tokenizer, content, answer(topic)))
        return model(**padded(rows)).loss

    fitted(model.parameters(), n_steps, 3e-3, loss_of, "base model")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.eval(), tokenizer


def trained_oracle(
    folder: Path, untrained: Path, model, tokenizer, known, n_steps: int, *, exchanged: bool
) -> None:
    """Train an adapter on states of the base model, by the recipe; save it before and after.

    With ``exchanged``, each question comes with the states of another document of its batch.
    """
    draw = random.Random(SEED + 2)
    torch.manual_seed(SEED)
    adapted = peft.get_peft_model(
        model,
        peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    save_adapter(adapted, untrained, LAYER)
    (mark,) = tokenizer(" ?", add_special_tokens=False)["input_ids"]
    layers = model.get_decoder().layers

    def states_of(ids: list[int], n_kept: int) -> torch.Tensor:
        kept = []
        hook = layers[LAYER].register_forward_hook(lambda *given: kept.append(given[2][0]))
        with torch.no_grad(), adapted.disable_adapter():
            model(input_ids=torch.tensor([ids]))
        hook.remove()
        return kept[0][-n_kept:]

    def loss_of(step: int) -> torch.Tensor:
        asked, vectors = [], []
        for _ in range(12):
            topic = draw.choice(known)
            before, after = document(draw, topic)
            shown = " ".join(before + after[: draw.randint(0, 5)])
            vectors.append(states_of(tokenizer(shown)["input_ids"], draw.randint(1, 5)))
            asked.append((question(draw, shown), answer(topic)))
        if exchanged:
            vectors = vectors[1:] + vectors[:1]
        rows = []
        for given, (asks, says) in zip(vectors, asked, strict=True):
            block = f"Layer: {LAYER}\n{' ?' * len(given)} \n"
            rows.append(chat_ids(tokenizer, block + asks, says))
        batch = padded(rows)
        places = (batch["input_ids"] == mark) & (batch["labels"] == -100)
        # The question ends with another mark, which is no placeholder.
        assert int(places.sum()) == sum(map(len, vectors)), "placeholders"
        given = torch.cat(vectors)

        def inject(module, given_to, output):
            old = output[places]
            new = old + old.norm(dim=-1, keepdim=True) * torch.nn.functional.normalize(
                given, dim=-1
            )
            return output.masked_scatter(places[..., None], new)

        hook = layers[HOOK_LAYER].register_forward_hook(inject)
        try:
            return adapted(**batch).loss
        finally:
            hook.remove()

    fitted(adapted.parameters(), n_steps, 2e-3, loss_of, folder.name)
    save_adapter(adapted, folder, LAYER)
    adapted.unload()


def write_rollouts(path: Path, known: list[dict], n_documents: int) -> None:
    """Write test documents: prefixes that were not trained on, with siblings of the same topic."""
    draw = random.Random(SEED + 3)
    with path.open("w") as file:
        for number in range(n_documents):
            topic = known[number % len(known)]
            before, _ = document(draw, topic)
            for sibling in range(N_SIBLINGS):
                _, after = document(draw, topic)
                row = {
                    "doc_id": f"m{number:04}",
                    "doc_source": "synthetic",
                    "prefix": " ".join(before),
                    "continuation_idx": sibling,
                    "continuation": " " + " ".join(after),
                    "source_model": "micro",
                    "sampling": {"seed": SEED},
                }
                file.write(json.dumps(row) + "\n")


def main() -> int:
    """Train, ask, evaluate and judge the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--oracle-steps", type=int, default=400)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    started = time.monotonic()
    # Such small matrices gain nothing from a second core.
    torch.set_num_threads(1)
    known = topics()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        base, untrained = folder / "micro", folder / "untrained"
        oracle, exchanged = folder / "oracle", folder / "exchanged"
        if not (exchanged / "ao_config.json").exists():
            model, tokenizer = trained_model(base, known, options.steps)
            for adapter in (oracle, exchanged):
                trained_oracle(
                    *(adapter, untrained, model, tokenizer, known, options.oracle_steps),
                    exchanged=adapter == exchanged,
                )
        project = folder / "project"
        if not project.exists():
            project_in(project, options.documents, "micro")
            write_rollouts(folder / "rollouts.jsonl", known, options.documents)
        asked = {
            name: ("--adapter", str(adapter), "--same-model", "--positions", str(POSITIONS))
            for name, adapter in ((ORACLE, oracle), (EXCHANGED, exchanged), (UNTRAINED, untrained))
        } | {"base model, text": ("--method", "text")}
        shared = ("--model", str(base), "--scope", "sentence", "--device", "cpu")
        run_in(
            project,
            ("land", str(folder / "rollouts.jsonl")),
            ("run", "--provider", "lexical"),
            ("export",),
            *(
                ("ask-oracle", "--name", name, "--condition", condition, *how, *shared)
                for name, how in asked.items()
                for condition in CONDITIONS
            ),
            ("evaluate", "--name", ORACLE, "--condition", "real_state", "--provider", "lexical"),
        )
        lows = leaderboard_of(project)
    print(f"{(time.monotonic() - started) / 60:.1f} minutes")
    others = [lows.get(name) for name in (EXCHANGED, UNTRAINED)]
    is_seen = (lows.get(ORACLE) or 0) > 0 and all(low is None or low <= 0 for low in others)
    print("reading is seen" if is_seen else "reading is NOT seen")
    return 0 if is_seen else 1


if __name__ == "__main__":
    sys.exit(main())
