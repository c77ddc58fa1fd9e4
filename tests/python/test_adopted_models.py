"""In an adopted home, a model scores, resamples, is read and is asked as in the maker's home."""

from __future__ import annotations

from pathlib import Path

import conftest
import duckdb
import pyarrow.parquet
import pytest
import small_oracles
from conftest import Checkout

torch = pytest.importorskip("torch", reason="the extra lm is not installed")
pytest.importorskip("peft", reason="the extra oracle is not installed")
pytestmark = pytest.mark.oracle

# Only where their libraries are installed.
from latent_probes import warehouse  # noqa: E402
from latent_probes.common.home import Home  # noqa: E402
from latent_probes.local_models import activations, scores  # noqa: E402
from latent_probes.oracles import adapters, asking, contract, methods  # noqa: E402
from latent_probes.oracles.saved import SavedStates  # noqa: E402
from latent_probes.sampling import resamples as resampling  # noqa: E402
from latent_probes.sampling.language_model import LanguageModel  # noqa: E402

torch.set_num_threads(1)

# Except when, and in which source or environment, a row was made.
LANDED = {
    "local_scores": "* exclude (landed_at, environment)",
    "resamples": "* exclude (source_hash)",
    "oracle_answers": "* exclude (landed_at)",
    "oracle_runs": "* exclude (landed_at)",
}
# Everything in them.
BUILT = ("token_scores", "contrast", "commitment", "commitment_summary", "oracle_scores")


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A folder with an untrained model and an untrained oracle."""
    folder = tmp_path_factory.mktemp("models")
    base = small_oracles.save(folder / "base", longest=4096)
    contract = small_oracles.CONTRACT | {"act_layer_combinations": [[1, 2]]}
    small_oracles.save_adapter(folder / "adapter", base, contract)
    return folder


@pytest.fixture(scope="module")
def maker(models, tmp_path_factory) -> Checkout:
    """The home of a small set, whose siblings are published with sampled tokens."""
    checkout = conftest.copy_for_the_baseline(tmp_path_factory.mktemp("maker"))
    checkout.set_rounds("1,4,1,gemma-3-270m,-2,5,lexical,lexical,lexical,false")
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    land_tokens(checkout, models / "base")
    checkout.runs("latent-probes", "run", "--provider", "lexical")
    checkout.runs("latent-probes", "export")
    return checkout


@pytest.fixture(scope="module")
def adopted(maker, tmp_path_factory) -> Checkout:
    """A home that adopted it."""
    checkout = conftest.copy_for_the_baseline(tmp_path_factory.mktemp("adopted"))
    checkout.home.mkdir()
    checkout.runs("latent-probes", "adopt", str(maker.home / "export"))
    return checkout


def land_tokens(checkout: Checkout, base: Path) -> None:
    """Give the landed rollouts the tokens of a model, as if that had sampled them."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(base)

    def ids(text: str) -> list[int]:
        return tokenizer(text)["input_ids"]

    with duckdb.connect(str(checkout.home / "landing.duckdb")) as connection:
        rows = connection.execute("select distinct prefix, continuation from rollouts").fetchall()
        connection.executemany(
            "update rollouts set prefix_tokens = ?, continuation_tokens = ? "
            "where prefix = ? and continuation = ?",
            [(ids(prefix), ids(text), prefix, text) for prefix, text in rows],
        )


def use_models(checkout: Checkout, models: Path) -> None:
    """Do with the model what the commands do."""
    home = Home(checkout.folder, checkout.home)
    warehouse.build(home, tested=False)
    model = LanguageModel(str(models / "base"), None, "auto", "cpu", 8)
    states = checkout.folder / "states"
    activations.save_activations(home, model, [2, 3], 2, states, None, 256)
    scores.score_probes(home, model, ["word", "lens"], 1)
    resampling.resample_splits(home, model, "gemma-3-270m", 1, 4, 1, 1, is_same_model=True)
    found = adapters.found_at(str(models / "adapter"))
    agreed = contract.read(found.folder, {"positions": 2}, small_oracles.LAYERS, "base")
    adapted = adapters.load(model, found.folder, is_same_model=False)
    for condition in ("real_state", "other_document_state"):
        oracle = methods.Method("tiny", "oracle", condition, model, agreed, scopes=("word",))
        oracle.adapter, oracle.without_adapter = found, adapted.disable_adapter
        oracle.saved = SavedStates(states, model, agreed.layers)
        assert asking.ask(home, oracle, 1) > 0
    warehouse.build(home, tested=False)


def test_models_give_an_adopted_home_what_they_give_its_maker(maker, adopted, models):
    for checkout in (maker, adopted):
        use_models(checkout, models)
    for table, columns in LANDED.items():
        query = f"select {columns} from {table} order by all"
        assert adopted.query(query, "landing") == maker.query(query, "landing") != [], table
    for table in BUILT:
        query = f"from {table} order by all"
        assert adopted.query(query) == maker.query(query) != [], table

    def files(checkout: Checkout) -> dict[Path, bytes]:
        folder = checkout.folder / "states"
        return {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    assert files(adopted) == files(maker)
    (index,) = (adopted.folder / "states" / "index").iterdir()
    sources = pyarrow.parquet.read_table(index)["token_source"].to_pylist()
    assert len(sources) > 20 and set(sources) == {"sampled"}
