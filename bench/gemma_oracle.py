"""Does a little training make a small real model read? bench/gemma_oracle.py MODEL SIBLINGS.jsonl

MODEL is Gemma 3 270M as a GGUF file, and SIBLINGS.jsonl has several continuations of each prefix
(prefix_id, prefix, continuation_idx, continuation, dataset). 100 documents are drawn, probed and
published by the project's own commands, with the offline baseline as generator, answerer and judge.
An oracle (LoRA) is trained for --steps steps by the public recipe, on the model's states in the
documents of other prefixes, without near duplicates of the test documents by the project's own
rule. Its questions and answers are those of the offline baseline. A second adapter is trained in
the same way, but with each question's states exchanged for those of another document of its batch.
`ask-oracle` asks both, the adapter before its training, and the base model as a reader of the text,
under all three conditions, and `evaluate` makes the leaderboard. Nothing is judged: the figures are
what so little training gives.

Needs the extras lm and oracle, and uses CUDA where there is one: minutes there, a day on a CPU.
--keep FOLDER keeps what was made; a stopped run continues there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import re
import tempfile
import time
from pathlib import Path

import duckdb
import micro_oracle
import numpy
import peft
import torch
import transformers
import yaml
from oracle_project import CONDITIONS, HOOK_LAYER, leaderboard_of, project_in, run_in, save_adapter

from latent_probes.common import sql
from latent_probes.providers import lexical
from latent_probes.sampling import tokenizing
from latent_probes.warehouse.functions import intervals

LAYER, POSITIONS = 9, 10
BATCH = 16
ANSWER_WORDS = 12
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CHAT = (
    "<bos>{% for message in messages %}<start_of_turn>{{ message['role'] }}\n"
    "{{ message['content'] }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


class LayerReachedError(Exception):
    """The layer has been reached."""


def save_base(gguf: Path, folder: Path) -> None:
    """Save the model as a folder, with a chat template: reading a GGUF file takes minutes."""
    place = tokenizing.place(str(gguf))
    tokenizer = transformers.AutoTokenizer.from_pretrained(**place)
    tokenizer.chat_template = CHAT
    read = transformers.AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
    # A model that was read from GGUF cannot be saved as it is.
    settings = read.config.to_dict()
    settings.pop("quantization_config", None)
    model = transformers.AutoModelForCausalLM.from_config(type(read.config).from_dict(settings))
    model.load_state_dict(read.state_dict())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def write_rollouts(path: Path, siblings: Path) -> None:
    """Write all rows under one name for the source model, which the model under test is not."""
    with siblings.open() as rows, path.open("w") as file:
        for row in map(json.loads, rows):
            written = {
                "doc_id": row["prefix_id"],
                "doc_source": row["dataset"],
                "prefix": row["prefix"],
                "continuation_idx": row["continuation_idx"],
                "continuation": row["continuation"],
                "source_model": "siblings",
                "sampling": {},
            }
            file.write(json.dumps(written) + "\n")


def training_texts(project: Path, siblings: Path) -> list[str]:
    """Texts of prefixes that are neither drawn nor near duplicates of those that are."""
    rules = yaml.safe_load((project / "dbt_project.yml").read_text())["vars"]
    rules = rules.get("latent_probes", rules)
    with duckdb.connect(str(project / "home" / "warehouse.duckdb"), read_only=True) as found:
        rows = found.execute(
            f"""
            with drawn as (
                select measures.*
                from prefix_measures as measures
                semi join round_documents using (source_model, doc_id)
            )

            select doc_id
            from prefix_measures as measures
            where not exists (
                select 1
                from drawn
                where
                    drawn.doc_id = measures.doc_id
                    or {sql.macro("similarity", "drawn.signature", "measures.signature")}
                    >= $similarity
            )
            """,
            {"similarity": rules["min_fold_similarity"]},
        ).fetchall()
    kept = {doc_id for (doc_id,) in rows}
    with siblings.open() as file:
        texts = [json.loads(line) for line in file]
    print(f"training documents: {len(kept)} prefixes", flush=True)
    return [row["prefix"] + row["continuation"] for row in texts if row["prefix_id"] in kept]


def examples(seed: int, texts: list[str], n_wanted: int) -> list[tuple[str, str, str]]:
    """Texts up to a split, a question about a sentence on either side, and its content words."""
    draw = random.Random(seed)
    found: list[tuple[str, str, str]] = []
    while len(found) < n_wanted:
        sentences = re.split(r"(?<=[.!?])\s+", draw.choice(texts))
        if len(sentences) < 4:
            continue
        split = draw.randint(2, len(sentences) - 2)
        before, after = sentences[:split], sentences[split:-1]
        target = "prefix" if draw.random() < 1 / 3 else "suffix"
        atom = draw.choice(before if target == "prefix" else after)
        side = " ".join(after if target == "prefix" else before)
        said = list(dict.fromkeys(lexical.content_words(atom)))[:ANSWER_WORDS]
        if len(said) > 2:
            asked = lexical.probe(atom, side, [], 0, target, [], 1)
            found.append((" ".join(before), asked["verbalizer_prompt"], " ".join(said)))
    return found


def write_examples(path: Path, texts: list[str], n_steps: int) -> None:
    """Write what all adapters are trained on, a line for each step."""
    with multiprocessing.get_context("spawn").Pool() as pool:
        steps = pool.starmap(examples, [(step, texts, BATCH) for step in range(n_steps)], 20)
    part = path.with_suffix(".part")
    part.write_text("".join(json.dumps(step) + "\n" for step in steps))
    part.rename(path)


def states_of(model, texts: list[list[int]], n_kept: list[int]) -> list[torch.Tensor]:
    """Outputs of the layer at the last tokens of each text, without what comes after the layer."""
    found: list[torch.Tensor] = []

    def keep(module, given, output):
        hidden = output[0] if isinstance(output, tuple) else output
        found.extend(
            hidden[row, len(ids) - n : len(ids)].clone()
            for row, (ids, n) in enumerate(zip(texts, n_kept, strict=True))
        )
        raise LayerReachedError

    decoder = model.get_decoder()
    hook = decoder.layers[LAYER].register_forward_hook(keep)
    batch = on_device([(ids, ids) for ids in texts])
    try:
        with torch.no_grad():
            decoder(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    except LayerReachedError:
        pass
    finally:
        hook.remove()
    return found


def on_device(rows: list[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    """A batch, padded on the right."""
    return {name: one.to(DEVICE) for name, one in micro_oracle.padded(rows).items()}


def train(folder: Path, untrained: Path, base: Path, steps: list[list], *, exchanged: bool) -> None:
    """Train an adapter by the recipe; save it before and after."""
    torch.manual_seed(1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).to(DEVICE)
    adapted = peft.get_peft_model(
        model,
        peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    )

    save_adapter(adapted, untrained, LAYER)
    mark = tokenizer(f"{LAYER}\n ?", add_special_tokens=False)["input_ids"][-1]
    decoder = model.get_decoder()

    def prompt_of(n_states: int, question: str, said: str) -> tuple[list[int], list[int]]:
        content = f"Layer: {LAYER}\n{' ?' * n_states} \n{question}"
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        answer = tokenizer(said, add_special_tokens=False)["input_ids"]
        answer.append(tokenizer.eos_token_id)
        return ids + answer, [-100] * len(ids) + answer

    def loss_of(step: int) -> torch.Tensor:
        shown = [tokenizer(before)["input_ids"] for before, _, _ in steps[step - 1]]
        with adapted.disable_adapter():
            vectors = states_of(model, shown, [min(POSITIONS, len(ids)) for ids in shown])
        if exchanged:
            vectors = vectors[1:] + vectors[:1]
        rows = [
            prompt_of(len(given), question, said)
            for given, (_, question, said) in zip(vectors, steps[step - 1], strict=True)
        ]
        at = [
            (row, place)
            for row, (ids, _) in enumerate(rows)
            for place in [n for n, token in enumerate(ids) if token == mark][: len(vectors[row])]
        ]
        given_rows, given_places = zip(*at, strict=True)
        given = torch.nn.functional.normalize(torch.cat(vectors), dim=-1)
        assert len(given) == len(at), "placeholders"
        batch = on_device(rows)

        def inject(module, inputs, output):
            hidden = output[0] if isinstance(output, tuple) else output
            old = hidden[given_rows, given_places]
            changed = hidden.clone()
            changed[given_rows, given_places] = old + old.norm(dim=-1, keepdim=True) * given
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        hook = decoder.layers[HOOK_LAYER].register_forward_hook(inject)
        try:
            hidden = decoder(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
            ).last_hidden_state
        finally:
            hook.remove()
        # The output layer has 262,144 rows: only for tokens of answers.
        wanted = batch["labels"][:, 1:] != -100
        logits = model.lm_head(hidden[:, :-1][wanted])
        return torch.nn.functional.cross_entropy(logits, batch["labels"][:, 1:][wanted])

    micro_oracle.fitted(adapted.parameters(), len(steps), 5e-4, loss_of, folder.name)
    save_adapter(adapted, folder, LAYER)


def print_log_probabilities(project: Path) -> None:
    """Print by how much the real state raises log-probabilities (nats an answer).

    Of the atom, and of the atom over the wrong answer. A state can do so without changing the
    greedy answers that scores are of.
    """
    home = project / "home"
    with duckdb.connect(str(home / "landing.duckdb"), read_only=True) as found:
        found.execute(f"attach {sql.literal(home / 'warehouse.duckdb')} as made (read_only)")
        rows = found.execute(
            """
            with differences as (

                select
                    real.oracle,
                    probes.target,
                    other.condition,
                    probes.doc_id,
                    count(*) as n_probes,
                    sum(real.logp_atom - other.logp_atom) as atom,
                    sum(real.logp_atom - real.logp_ipa - other.logp_atom + other.logp_ipa)
                        as margin,
                from oracle_answers as real
                inner join oracle_answers as other using (oracle, probe_id)
                inner join made.probes using (probe_id)
                where real.condition = 'real_state' and other.condition != 'real_state'
                group by all

            )

            select
                oracle,
                target,
                condition,
                list(n_probes order by doc_id),
                list(atom order by doc_id),
                list(margin order by doc_id),
            from differences
            group by all
            order by all
            """
        ).fetchall()
    print("with the real state minus another condition, and 95 % interval: log P(atom); the same")
    print("minus log P(wrong answer)")
    for oracle, target, condition, counts, *both in rows:
        shown = f"{oracle:<26}{target:<8}{condition:<22}"
        for sums in both:
            low, high = intervals.mean_interval(numpy.array(sums), numpy.array(counts), 1000, 1)
            shown += f"{sum(sums) / sum(counts):>7.2f}{low:>8.2f}{high:>8.2f}"
        print(shown)


def main() -> None:
    """Land, train, ask, evaluate."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("siblings", type=Path)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--until", choices=("examples", "adapters", "end"), default="end")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    started = time.monotonic()
    torch.set_float32_matmul_precision("high")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        base, project = folder / "gemma-3-270m", folder / "project"
        if not (base / "tokenizer.json").exists():
            save_base(options.model, base)
        if not project.exists():
            write_rollouts(folder / "rollouts.jsonl", options.siblings)
            project_in(project, options.documents, "siblings")
        lines = folder / f"examples-{options.steps}.jsonl"
        if not lines.exists():
            run_in(
                project,
                ("land", str(folder / "rollouts.jsonl")),
                ("run", "--provider", "lexical"),
                ("export",),
            )
            write_examples(lines, training_texts(project, options.siblings), options.steps)
        if options.until == "examples":
            return
        steps = [json.loads(line) for line in lines.read_text().splitlines()]
        oracle, exchanged, untrained = (
            folder / f"{name}-{options.steps}" for name in ("oracle", "exchanged", "untrained")
        )
        for adapter in (oracle, exchanged):
            if not (adapter / "ao_config.json").exists():
                train(adapter, untrained, base, steps, exchanged=adapter == exchanged)
        if options.until == "adapters":
            return
        asked = {
            name: ("--adapter", str(adapter), "--same-model", "--positions", str(POSITIONS))
            for name, adapter in (
                ("oracle", oracle),
                (micro_oracle.EXCHANGED, exchanged),
                (micro_oracle.UNTRAINED, untrained),
            )
        } | {"base model, text": ("--method", "text")}
        shared = ("--model", str(base), "--scope", "sentence", "--batch-size", "64")
        run_in(
            project,
            *(
                ("ask-oracle", "--name", name, "--condition", condition, *how, *shared)
                for name, how in asked.items()
                for condition in CONDITIONS
            ),
            ("evaluate", "--name", "oracle", "--condition", "real_state", "--provider", "lexical"),
        )
        leaderboard_of(project)
        print_log_probabilities(project)
    print(f"{DEVICE}: {(time.monotonic() - started) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
