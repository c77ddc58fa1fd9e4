// The page: opens the data set, follows the address, shows a view.
import { render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { type Address, linkTo, noFilters, parsed, type ViewName } from "./address";
import { Blind } from "./blind";
import { Dataset, type Round } from "./dataset";
import { useLoaded } from "./loading";
import { Meanings } from "./meanings";
import { ordered } from "./order";
import { noteScrolling, useScrolling } from "./places";
import { readProbes } from "./probes";
import { ProbesView, useSelection } from "./probes-view";
import { traffic } from "./ranges";
import { useReading } from "./reading";
import { ReadingView } from "./reading-view";
import { useSearch } from "./search";
import { select } from "./selection";
import { count, focusOn, When } from "./shown";
import { SlotView } from "./slot-view";
import { TABLE_VIEWS, TablesView } from "./tables-view";

/** The script lies in a folder of the data set; the page can be in another one. */
const FOLDER = new URL("../", import.meta.url).href;

interface Opened {
  dataset: Dataset;
  rounds: Round[];
  meanings: Meanings;
  views: ViewName[];
}

async function open(): Promise<Opened> {
  if (location.protocol === "file:") {
    throw new Error(
      "A page that is opened as a file cannot read the files beside it. Run `latent-probes explore` " +
        "in its folder, or `python -m http.server` in the folder of the data set.",
    );
  }
  const dataset = await Dataset.open(FOLDER);
  const [rounds, meanings] = await Promise.all(
    ["rounds", "meanings"].map((table) => dataset.rows(table)),
  );
  const views = TABLE_VIEWS.filter(({ table }) => dataset.files(table).length > 0).map(
    ({ view }) => view,
  );
  return {
    dataset,
    rounds: rounds as unknown as Round[],
    meanings: new Meanings(meanings!),
    views: ["probes", ...views, "reading"],
  };
}

function useAddress(): [Address, (address: Address) => void] {
  const [fragment, setFragment] = useState(location.hash);
  useEffect(() => {
    const follow = (): void => setFragment(location.hash);
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  const go = (address: Address): void => {
    location.assign(linkTo(address));
    // Before the browser says so: keys can be pressed faster than that.
    setFragment(location.hash);
  };
  return [parsed(fragment), go];
}

function Page() {
  const opened = useLoaded("", open);
  return <When loaded={opened}>{(set) => <Views {...set} />}</When>;
}

function Views({ dataset, rounds, meanings, views }: Opened) {
  const [address, go] = useAddress();
  const [reading, change, isKept] = useReading(rounds);
  const read = useLoaded("probes", () => readProbes(dataset));
  const probes = read.state === "ready" ? read.value : undefined;
  const selected = useSelection(probes, address.filters, select);
  const key = linkTo({ view: "probes", filters: address.filters, page: 1 });
  const searched = useSearch(dataset, probes, selected, address.filters, key);
  const { order } = address.filters;
  const found = searched?.selection;
  const places = useMemo(
    () => probes && found && ordered(probes, found.places, order),
    [probes, found?.places, order],
  );
  const selection = found && places && { ...found, places };
  const title = address.view === "slot" ? `${address.document}, ${address.slot}` : address.view;
  useEffect(() => {
    document.title = `${title} · Latent probes`;
  }, [title]);
  const page = address.view === "probes" ? address.page : 1;
  useScrolling(`${title} ${page}`, page > 1 ? "selected" : undefined);
  const needsProbes = address.view === "probes" || address.view === "slot";
  return (
    <Blind.Provider value={reading.isBlind}>
      <Masthead address={address} rounds={rounds} views={views} />
      <main id="main">
        {needsProbes && !(probes && selection) && <When loaded={read}>{() => null}</When>}
        {address.view === "probes" && probes && searched && selection && (
          <ProbesView
            {...{ dataset, rounds, meanings, probes, selection, go }}
            {...address}
            share={searched.share}
          />
        )}
        {address.view === "slot" && probes && selection && (
          <SlotView
            {...{ dataset, rounds, meanings, probes, selection, address, go }}
            {...{ reading, change, isKept }}
          />
        )}
        {address.view === "reading" && (
          <ReadingView {...{ dataset, meanings, reading, change, isKept }} />
        )}
        {!needsProbes && address.view !== "reading" && (
          <TablesView {...{ dataset, meanings, address }} />
        )}
      </main>
      <Traffic dataset={dataset} />
    </Blind.Provider>
  );
}

const counted = (n: number, what: string): string => `${count(n)} ${what}${n === 1 ? "" : "s"}`;

function Masthead(props: { address: Address; rounds: Round[]; views: ViewName[] }) {
  const { address, rounds, views } = props;
  const sum = (name: "n_probes" | "n_documents"): number =>
    rounds.reduce((total, round) => total + round[name], 0);
  const models = [...new Set(rounds.map((round) => round.source_model))];
  return (
    <header class="masthead">
      <button type="button" class="skip" onClick={() => focusOn("main")}>
        Skip to content
      </button>
      <a class="name" href={linkTo({ view: "probes", filters: noFilters(), page: 1 })}>
        Latent probes
      </a>
      <nav aria-label="Views">
        {views.map((view) => (
          <a
            key={view}
            href={linkTo({ view, filters: address.filters, page: 1 })}
            aria-current={
              view === address.view || (view === "probes" && address.view === "slot")
                ? "page"
                : undefined
            }
          >
            {view[0]!.toUpperCase() + view.slice(1)}
          </a>
        ))}
      </nav>
      <p>
        {counted(sum("n_probes"), "probe")} in {counted(sum("n_documents"), "document")} by{" "}
        {models.slice(0, 3).join(", ")}
        {models.length > 3 && " and others"}
      </p>
    </header>
  );
}

/** What the page has fetched, and which build it shows. */
function Traffic({ dataset }: { dataset: Dataset }) {
  const [, again] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => again(traffic.requests), 500);
    return () => clearInterval(timer);
  }, []);
  return (
    <footer class="foot">
      <span>
        Build {dataset.build.slice(0, 12)} ·{" "}
        <a href={new URL("licences.txt", import.meta.url).href}>Licences</a> of the page
      </span>
      <span>
        {count(traffic.requests)} requests, {count(Math.round(traffic.bytes / 1000))} kB
      </span>
    </footer>
  );
}

noteScrolling();
render(<Page />, document.body);
