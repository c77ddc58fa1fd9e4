// The set at a glance, and the list of what is selected.
import { useEffect, useMemo } from "preact/hooks";
import { type Address, type Filters, linkTo, noFilters } from "./address";
import type { Dataset, Round } from "./dataset";
import { expectDocument, expectRound, type Question, readQuestions } from "./documents";
import { csvOf, download } from "./downloads";
import { useLoaded } from "./loading";
import type { Meanings } from "./meanings";
import { ORDER_SQL, ORDERS, type Order } from "./order";
import { FacetList, Histogram } from "./pictures";
import { useHeading, useSettled } from "./places";
import {
  type DocumentKey,
  FACET_NAMES,
  type Facet,
  findingsAt,
  NO_FINDING,
  type Probes,
  roundOfPlace,
  UNSCORED,
} from "./probes";
import { BAND_RANGES, type Selection, sqlOf, totalOf } from "./selection";
import { count, Failure, FindingNames, focusOn, percent, Score, Sql, Text, When } from "./shown";

/** Probes on a page of the list. */
export const PAGE = 40;
/** After so many milliseconds on a list, what every probe of its round needs is read. */
const SETTLED = 500;
const TITLES: Record<Facet, string> = {
  scope: "Scope",
  target: "Target",
  typicality: "Typicality",
  distance: "Words from the split",
};

interface Props {
  dataset: Dataset;
  rounds: Round[];
  meanings: Meanings;
  probes: Probes;
  selection: Selection;
  filters: Filters;
  page: number;
  /** How much of the selection is searched so far. */
  share: number;
  go: (address: Address) => void;
}

export function ProbesView(props: Props) {
  const { probes, selection, filters, rounds, meanings, go } = props;
  const show = (change: Partial<Filters>): void =>
    go({ view: "probes", filters: { ...filters, ...change }, page: 1 });
  const toggled = (values: string[], value: string): string[] =>
    values.includes(value) ? values.filter((other) => other !== value) : [...values, value];
  return (
    <>
      <h1 class="visually-hidden" ref={useHeading("probes")} tabIndex={-1}>
        Probes
      </h1>
      <button type="button" class="skip" onClick={() => focusOn("selected")}>
        Skip to the list
      </button>
      <div class="glance">
        <div>
          <section class="scores" aria-labelledby="best-score">
            <header>
              <h2 id="best-score">Best score of a probe’s answers</h2>
              <Sql of="the histogram" query={HISTOGRAM(filters)} />
            </header>
            <p class="note">
              Every question is answered several times from the complement alone: the text on the
              other side of the split. HARD: no answer scores 0.4 or more. EASY: one scores at least
              0.8.
            </p>
            <Histogram
              bars={selection.bars}
              best={filters.best}
              onSelect={(best) => show({ best })}
            />
            <BandButtons
              selection={selection}
              best={filters.best}
              onSelect={(best) => show({ best })}
            />
          </section>
          {probes.findingsFailure && <Failure>{`No findings: ${probes.findingsFailure}`}</Failure>}
          {probes.findingNames.length > 0 && (
            <FacetList
              name="finding"
              title="Findings"
              values={[...probes.findingNames, NO_FINDING]}
              bands={selection.findings}
              chosen={filters.findings}
              showsShare={false}
              meaning={(value) =>
                value === NO_FINDING
                  ? "No automatic warning. Words and lenses have none: they are not checked."
                  : meanings.of("finding", value)
              }
              onToggle={(value) => show({ findings: toggled(filters.findings, value) })}
            />
          )}
        </div>
        <div class="facets">
          {FACET_NAMES.map((facet) => (
            <FacetList
              key={facet}
              name={facet}
              title={TITLES[facet]}
              values={probes.values[facet]}
              bands={selection.facets[facet]}
              chosen={filters.facets[facet]}
              showsShare={!filters.best}
              meaning={(value) => meanings.of(facet, value)}
              onToggle={(value) =>
                show({
                  facets: { ...filters.facets, [facet]: toggled(filters.facets[facet], value) },
                })
              }
            />
          ))}
          {rounds.length > 1 && (
            <FacetList
              name="round"
              title="Round"
              values={[...selection.rounds.keys()].map(String)}
              bands={[...selection.rounds.values()]}
              chosen={filters.rounds.map(String)}
              showsShare={!filters.best}
              meaning={(value) =>
                rounds.find((round) => round.round_number === Number(value))?.source_model
              }
              onToggle={(value) =>
                show({ rounds: toggled(filters.rounds.map(String), value).map(Number) })
              }
            />
          )}
        </div>
      </div>
      <List {...props} show={show} />
    </>
  );
}

const HISTOGRAM = (filters: Filters): string =>
  sqlOf(
    { ...filters, best: null, text: "" },
    "floor(round(100 * bb_answer_score_max) / 5) / 20 as best_score, count(*) as probes",
    "group by all\norder by all",
  );

/** The three bands as buttons: what the picture does, by keyboard. */
function BandButtons(props: {
  selection: Selection;
  best: [number, number] | null;
  onSelect: (best: [number, number] | null) => void;
}) {
  const { selection, best, onSelect } = props;
  const ofBand = { hard: 0, middle: 0, easy: 0 };
  for (const [bar, n] of selection.bars.entries()) {
    ofBand[bar < 8 ? "hard" : bar < 16 ? "middle" : "easy"] += n;
  }
  const scored = ofBand.hard + ofBand.middle + ofBand.easy;
  return (
    <fieldset class="band-buttons">
      <legend class="visually-hidden">Band of the best score</legend>
      {(["hard", "middle", "easy"] as const).map((band) => {
        const range = BAND_RANGES[band];
        const chosen = best?.[0] === range[0] && best[1] === range[1];
        return (
          <button
            type="button"
            key={band}
            class={band}
            aria-pressed={chosen}
            onClick={() => onSelect(chosen ? null : range)}
          >
            <b>{band.toUpperCase()}</b> {count(ofBand[band])}
            <span>{scored > 0 && percent(ofBand[band] / scored)}</span>
          </button>
        );
      })}
    </fieldset>
  );
}

function List(props: Props & { show: (change: Partial<Filters>) => void }) {
  const { dataset, probes, selection, filters, page, share, show } = props;
  const pages = Math.max(1, Math.ceil(selection.places.length / PAGE));
  const shown = Math.min(page, pages);
  const places = [...selection.places.subarray((shown - 1) * PAGE, shown * PAGE)];
  const questions = useLoaded(places.join(), () => questionsOf(dataset, probes, places));
  const isReady = questions.state === "ready";
  useSettled(isReady);
  useEffect(() => {
    if (!isReady || places.length === 0) return;
    const { round } = roundOfPlace(probes, places[0]!);
    const timer = setTimeout(() => expectRound(dataset, round), SETTLED);
    return () => clearTimeout(timer);
  }, [isReady, places[0]]);
  const isFiltered = linkTo({ view: "probes", filters, page: 1 }) !== "#/probes";
  const ids = (): void => {
    const rows = [...selection.places].map((place) => {
      const key = probes.documents[probes.document[place]!]!;
      return [String(key.round), key.id, String(probes.slot[place])];
    });
    download("probes.csv", csvOf(["round_number", "doc_id", "slot_idx"], rows));
  };
  return (
    <section class="list" aria-labelledby="selected">
      <header>
        <h2 id="selected" aria-live="polite" tabIndex={-1}>
          {count(selection.places.length)} {selection.places.length === 1 ? "probe" : "probes"}
          {share < 1 && <small> in {percent(share)} of them</small>}
          {!filters.text &&
            selection.bands.unscored > 0 &&
            selection.bands.unscored < totalOf(selection.bands) && (
              <small> {count(selection.bands.unscored)} without scores</small>
            )}
        </h2>
        <Find
          name="Words of question or answer"
          value={filters.text}
          onFind={(text) => show({ text })}
        />
        <label title="Of many rounds, atoms take long to read: choose a round first">
          <input
            type="checkbox"
            checked={filters.atoms}
            onChange={(event) => show({ atoms: event.currentTarget.checked })}
          />{" "}
          also in atoms
        </label>
        <Find
          name="Document id"
          value={filters.document}
          onFind={(document) => show({ document })}
        />
        <select
          aria-label="Order"
          value={filters.order}
          onChange={(event) => show({ order: event.currentTarget.value as Order })}
        >
          {Object.entries(ORDERS).map(([order, name]) => (
            <option key={order} value={order}>
              {name}
            </option>
          ))}
        </select>
        {isFiltered && (
          <a href={linkTo({ view: "probes", filters: noFilters(), page: 1 })}>All probes</a>
        )}
        <button type="button" onClick={ids}>
          Download ids
        </button>
        <Sql of="the list" query={sqlOf(filters, "*", ORDER_SQL[filters.order])} />
      </header>
      {places.length === 0 && share === 1 ? (
        <p class="empty">No probe has all of these properties.</p>
      ) : (
        <ol start={(shown - 1) * PAGE + 1}>
          {places.map((place, number) => (
            <Item
              key={place}
              probes={probes}
              place={place}
              filters={filters}
              question={questions.state === "ready" ? questions.value[number] : undefined}
              onPress={(key) => expectDocument(dataset, key)}
            />
          ))}
        </ol>
      )}
      <When loaded={questions}>{() => null}</When>
      {pages > 1 && <Pages filters={filters} page={shown} pages={pages} />}
    </section>
  );
}

function Find(props: { name: string; value: string; onFind: (value: string) => void }) {
  const { name, value, onFind } = props;
  return (
    <input
      class="find"
      type="search"
      aria-label={name}
      placeholder={name}
      value={value}
      onChange={(event) => onFind(event.currentTarget.value.trim())}
    />
  );
}

/** The questions of probes at these places, in their order. */
async function questionsOf(
  dataset: Dataset,
  probes: Probes,
  places: number[],
): Promise<Question[]> {
  const found = new Map<number, Question>();
  const increasing = places.toSorted((a, b) => a - b);
  const rounds = Map.groupBy(increasing, (place) => roundOfPlace(probes, place).round);
  for (const [round, inRound] of rounds) {
    const { first } = roundOfPlace(probes, inRound[0]!);
    const rows = inRound.map((place) => place - first);
    const questions = await readQuestions(dataset, round, rows);
    for (const [number, place] of inRound.entries()) found.set(place, questions[number]!);
  }
  return places.map((place) => found.get(place)!);
}

function Item(props: {
  probes: Probes;
  place: number;
  filters: Filters;
  question: Question | undefined;
  /** A click ends later than it begins: its document can be read meanwhile. */
  onPress: (key: DocumentKey) => void;
}) {
  const { probes, place, filters, question, onPress } = props;
  const key = probes.documents[probes.document[place]!]!;
  const slot = probes.slot[place]!;
  const best = probes.best[place]!;
  const value = (facet: Facet): string => probes.values[facet][probes[facet][place]!]!;
  const typicality = value("typicality");
  return (
    <li>
      <a
        href={linkTo({ view: "slot", filters, round: key.round, document: key.id, slot })}
        onPointerDown={() => onPress(key)}
      >
        <Score value={best === UNSCORED ? null : best / 100} />
        <span class="question" dir="auto">
          {question ? <Text>{clipped(question.verbalizer_prompt)}</Text> : " "}
        </span>
        <span class="answer" dir="auto">
          {question && <Text>{clipped(question.target_response)}</Text>}
        </span>
        <span class="properties">
          {value("scope")} · {value("target")}
          {!["neither", "none"].includes(typicality) && ` · ${typicality}`}
        </span>
        <span class="place">
          <Text>{key.id}</Text>, {slot}
        </span>
        <FindingNames names={findingsAt(probes, place)} />
      </a>
    </li>
  );
}

const clipped = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text);

function Pages({ filters, page, pages }: { filters: Filters; page: number; pages: number }) {
  const link = (to: number): string => linkTo({ view: "probes", filters, page: to });
  return (
    <nav class="pages" aria-label="Pages of the list">
      {page > 1 ? <a href={link(page - 1)}>Previous</a> : <span />}
      <span>
        Page {count(page)} of {count(pages)}
      </span>
      {page < pages ? <a href={link(page + 1)}>Next</a> : <span />}
    </nav>
  );
}

/** The selection, computed again only if the filters change. */
export function useSelection(
  probes: Probes | undefined,
  filters: Filters,
  select: (probes: Probes, filters: Filters) => Selection,
): Selection | undefined {
  const key = linkTo({ view: "probes", filters, page: 1 });
  return useMemo(() => probes && select(probes, filters), [probes, key]);
}
