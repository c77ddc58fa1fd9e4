"""Answers that cannot be used stop a run before more are paid for, and are never published."""

from __future__ import annotations

import json
import re

import pytest
from scripted_server import Answer, ScriptedServer
from stand_in import answers

MODEL = "claude-haiku-4-5-20251001"
LINE = f"1,1,1,gemma-3-270m,-2,5,{MODEL},{MODEL},{MODEL},false"
RUN = ("latent-probes", "run", "--provider", "anthropic-messages")


class Server:
    """A `/v1/messages` server whose messages are changed by stage."""

    def __init__(self):
        self.changes = {}
        self.asked = []
        self.key = "key"

    def __call__(self, asked) -> Answer:
        params = json.loads(asked.body)
        prompt = answers.prompt_of(params)
        stage = answers.stage_of(prompt)
        self.asked.append((stage, prompt))
        text = answers.answer(MODEL, prompt, prompt)
        message = answers.message("msg", params, text, "standard")
        return Answer(json.dumps(self.changes.get(stage, lambda whole: whole)(message)).encode())

    def n_asked(self, stage: str) -> int:
        return sum(asked == stage for asked, _ in self.asked)


def saying(text: str):
    return lambda whole: answers.with_text(whole, text)


@pytest.mark.soak
def test_a_run_stops_at_answers_that_cannot_be_used(checkout):
    script = Server()
    with ScriptedServer(script) as server:
        server.key = "key"
        person = checkout.talking_to(server)
        person.set_rounds(LINE)
        person.runs("latent-probes", "land", "sample/rollouts.jsonl")

        # Another model's name: found at the first answer.
        script.changes["generator"] = lambda whole: whole | {"model": "gemma-3-4b.gguf"}
        said = person.fails(*RUN)
        assert f"`{MODEL},gemma-3-4b.gguf` to seeds/model_aliases.csv" in said
        assert "withdrawn" in said
        assert script.n_asked("generator") == 1
        with (person.folder / "seeds" / "model_aliases.csv").open("a") as file:
            file.write(f"{MODEL},gemma-3-4b.gguf\n")

        # A judge that explains itself.
        script.changes["answerer"] = lambda whole: whole | {"usage": None}
        script.changes["judge"] = saying("I would call it a good answer.")
        said = person.fails(*RUN)
        n_judged = script.n_asked("judge")
        assert n_judged > 20
        assert f"{n_judged} of the first {n_judged} judge answers" in said
        assert said.count("'I would call it a good answer.'") == 2

        script.changes["judge"] = saying("**Score:** 0.7.")
        person.runs(*RUN)
        assert script.n_asked("generator") == 1
        assert script.n_asked("judge") == 2 * n_judged
        person.runs("latent-probes", "export")
        said = person.runs("latent-probes", "status")
        assert f"{n_judged} answers of {MODEL} state no usage" in said
        assert re.search("answerer .* unknown", said)
        assert "| unknown |" in (person.home / "export" / "README.md").read_text()

        # What was answered without usage counts towards a limit; another round is not begun.
        person.add_round(LINE.replace("1,1,1", "2,1,2", 1))
        said = person.fails(*RUN, "--max-cost", "0.2")
        assert re.search(r"1 requests were not sent: \$0.0\d spent, \$0.1\d reserved", said), said

        # A model that refuses is asked once. It answered before, so that this stops no run.
        for stage in ("generator", "answerer", "judge"):
            script.changes[stage] = lambda whole: whole
        script.changes["answerer"] = answers.refusal
        n_answered = script.n_asked("answerer")
        assert "The model refused" in person.runs(*RUN)
        assert script.n_asked("answerer") - n_answered == 30
        assert person.query(
            "select distinct unscored_reason from probe_scores where round_number = 2"
        ) == [("answer_refused",)]
        person.runs("latent-probes", "export")

        # A withdrawn round hinders no export, whoever answered it.
        person.add_round(LINE.replace("1,1,1", "3,1,3", 1))
        script.changes["generator"] = lambda whole: whole | {"model": "another"}
        assert "the response names 'another'" in person.fails(*RUN)
        person.runs("latent-probes", "cancel")
        assert person.query("select outcome, model from responses order by landed_at", "landing")[
            -1
        ] == ("succeeded", "another")
        rounds = person.folder / "seeds" / "rounds.csv"
        third = LINE.replace("1,1,1", "3,1,3", 1)
        rounds.write_text(rounds.read_text().replace(third, third.replace("false", "true")))
        person.runs("latent-probes", "export")
        assert person.query(
            "select problem, n_answers from unusable_answers where round_number = 3"
        ) == [("other_model", 1)]
