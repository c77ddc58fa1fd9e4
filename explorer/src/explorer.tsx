// The page: opens the data set, follows the address, shows a view.
import { render } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Address, type Filters, linkTo, noFilters, parsed, type ViewName } from "./address";
import { Blind } from "./blind";
import { Dataset, type Round } from "./dataset";
import { readDocument } from "./documents";
import { useLoaded } from "./loading";
import { Meanings } from "./meanings";
import { ordered } from "./order";
import { noteScrolling, useScrolling } from "./places";
import { type Probes, readProbes } from "./probes";
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
    const follow = (): void => {
      setFragment(location.hash);
      // What the view does not use, such as filters, is not shared with it.
      const used = linkTo(parsed(location.hash));
      if (location.hash && used !== location.hash) history.replaceState(history.state, "", used);
    };
    follow();
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
  const read = useLoaded("probes", () => readAfter(dataset, address));
  const probes = read.state === "ready" ? read.value : undefined;
  const filters = useFilters(address);
  const selected = useSelection(probes, filters, select);
  const key = linkTo({ view: "probes", filters, page: 1 });
  const searched = useSearch(dataset, probes, selected, filters, key);
  const { order } = filters;
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
  return (
    <Blind.Provider value={reading.isBlind}>
      <Masthead {...{ address, filters, rounds, views }} />
      <main id="main">
        {address.view === "probes" && !(probes && selection) && (
          <When loaded={read}>{() => null}</When>
        )}
        {address.view === "probes" && probes && searched && selection && (
          <ProbesView
            {...{ dataset, rounds, meanings, probes, selection, go }}
            {...address}
            share={searched.share}
          />
        )}
        {address.view === "slot" && (
          <SlotView
            {...{ dataset, rounds, meanings, read, selection, address, go }}
            {...{ reading, change, isKept }}
          />
        )}
        {address.view === "reading" && (
          <ReadingView {...{ dataset, meanings, reading, change, isKept }} />
        )}
        {address.view !== "probes" && address.view !== "slot" && address.view !== "reading" && (
          <TablesView {...{ dataset, meanings, address }} />
        )}
      </main>
      <Traffic dataset={dataset} />
    </Blind.Provider>
  );
}

/** All probes; a document that the address names is read before them. */
async function readAfter(dataset: Dataset, address: Address): Promise<Probes> {
  if (address.view === "slot") {
    const { round, document: id } = address;
    // That it cannot be read is said in its view.
    await readDocument(dataset, { round, id }).catch(() => undefined);
    await painted();
  }
  return readProbes(dataset);
}

/** Once what is shown by now has been painted; soon, if the page is not in front. */
const painted = (): Promise<unknown> =>
  Promise.race([
    new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))),
    new Promise((resolve) => setTimeout(resolve, 200)),
  ]);

/** The filters of the address, or those of the last one that had any: views without a list keep them. */
function useFilters(address: Address): Filters {
  const last = useRef<Filters>(noFilters());
  if ("filters" in address) last.current = address.filters;
  return last.current;
}

const counted = (n: number, what: string): string => `${count(n)} ${what}${n === 1 ? "" : "s"}`;

function Masthead(props: {
  address: Address;
  filters: Filters;
  rounds: Round[];
  views: ViewName[];
}) {
  const { address, filters, rounds, views } = props;
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
            href={linkTo(view === "probes" ? { view, filters, page: 1 } : { view })}
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
