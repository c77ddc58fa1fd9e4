// One probe, read whole: its document, question, answers, and how it came about.
import { useContext, useEffect, useLayoutEffect, useState } from "preact/hooks";
import { type Address, type Filters, linkTo } from "./address";
import { MethodAnswers, Siblings, TextReaders } from "./beside-view";
import { Blind } from "./blind";
import type { Dataset, Round, Row } from "./dataset";
import { atomOf, DocumentText } from "./document-text";
import { type Document, expectDocument, type Probe, readDocument, type Units } from "./documents";
import { judgePrompt } from "./judge";
import { type Loaded, messageOf, useLoaded } from "./loading";
import { md5 } from "./md5";
import type { Meanings } from "./meanings";
import { Checks, Findings, Origin, Rejection } from "./notes";
import { useHeading, useSettled } from "./places";
import { bandOf, documentOf, isAt, type Probes, placeOf, UNSCORED } from "./probes";
import { PAGE } from "./probes-view";
import { answerId, type Change, type Place, type Reading } from "./reading";
import { ReadingOf, ScoreField } from "./reading-view";
import type { Selection } from "./selection";
import { AnswerList, count, Failure, FindingNames, Passage, Score, Text, When } from "./shown";

type SlotAddress = Extract<Address, { view: "slot" }>;

interface Props {
  dataset: Dataset;
  rounds: Round[];
  meanings: Meanings;
  /** A probe does not wait for the list that it is in. */
  read: Loaded<Probes>;
  selection: Selection | undefined;
  address: SlotAddress;
  go: (address: Address) => void;
  reading: Reading;
  change: Change;
  isKept: boolean;
}

export function SlotView(props: Props) {
  const { dataset, read, selection, address } = props;
  const loaded = useLoaded(`${address.round}/${address.document}`, () =>
    readDocument(
      dataset,
      (read.state === "ready" && documentOf(read.value, address.round, address.document)) || {
        round: address.round,
        id: address.document,
      },
    ),
  );
  const beside = useLoaded(`beside ${address.round}/${address.document}`, () =>
    readBeside(dataset, address),
  );
  const { rows, failures } = beside.state === "ready" ? beside.value : NOTHING;
  const ofSlot = (table: Beside): Row[] =>
    rows[table].filter((row) => row.slot_idx === address.slot);
  return (
    <article class="slot">
      <When loaded={read}>
        {(probes) =>
          selection && (
            <Steps {...props} {...{ probes, selection }} isRead={loaded.state === "ready"} />
          )
        }
      </When>
      {failures.map((message) => (
        <Failure key={message}>{message}</Failure>
      ))}
      <When loaded={loaded}>
        {(document) => (
          <Slot
            {...props}
            document={document}
            rejected={rows.rejections}
            units={rows.units[0] as unknown as Units | undefined}
            findings={ofSlot("probe_findings")}
            controls={ofSlot("control_answers")}
          />
        )}
      </When>
    </article>
  );
}

const BESIDE = ["rejections", "probe_findings", "control_answers", "units"] as const;
type Beside = (typeof BESIDE)[number];

/** What other tables have of a document, and which of them cannot be read. */
interface OfDocument {
  rows: Record<Beside, Row[]>;
  failures: string[];
}

const none = (): Record<Beside, Row[]> => ({
  rejections: [],
  probe_findings: [],
  control_answers: [],
  units: [],
});
const NOTHING: OfDocument = { rows: none(), failures: [] };

async function readBeside(dataset: Dataset, { round, document }: SlotAddress): Promise<OfDocument> {
  const found: OfDocument = { rows: none(), failures: [] };
  await Promise.all(
    BESIDE.map(async (table) => {
      try {
        found.rows[table] = (await dataset.rowsOf(table, round, document)) ?? [];
      } catch (error) {
        found.failures.push(messageOf(error));
      }
    }),
  );
  return found;
}

/** After so many milliseconds on a probe, its neighbours' documents are read. */
const SETTLED = 300;

/** Links to the neighbours of a probe in the selection; arrow keys do the same. */
function Steps(props: Props & { probes: Probes; selection: Selection; isRead: boolean }) {
  const { dataset, probes, selection, address, go, isRead } = props;
  const { filters } = address;
  const place = placeOf(probes, address.round, address.document, address.slot);
  // A list in another order has no place for what is not in it.
  const number = filters.order
    ? Math.max(0, selection.places.indexOf(place))
    : firstFrom(selection.places, place);
  const isListed =
    selection.places[number] === place && isAt(probes, place, address.document, address.slot);
  const document = documentOf(probes, address.round, address.document);
  const linkOf = (target: number | undefined): SlotAddress | undefined =>
    target === undefined ? undefined : addressOf(probes, target, filters);
  const previous = linkOf(selection.places[number - 1]);
  const next = linkOf(selection.places[isListed ? number + 1 : number]);
  const nextDocument = linkOf(
    selection.places
      .subarray(number)
      .find((other) => probes.documents[probes.document[other]!] !== document),
  );
  useEffect(() => {
    if (!isRead) return;
    const timer = setTimeout(() => {
      for (const to of [next, nextDocument, previous]) {
        if (to) expectDocument(dataset, documentOf(probes, to.round, to.document));
      }
    }, SETTLED);
    return () => clearTimeout(timer);
  }, [isRead, address.round, address.document, address.slot]);
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const on = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || on.closest("input, textarea, select")) {
        return;
      }
      const to =
        event.key === "ArrowLeft"
          ? previous
          : event.key === "ArrowRight"
            ? event.shiftKey
              ? nextDocument
              : next
            : undefined;
      if (to) go(to);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  });
  return (
    <nav class="steps" aria-label="Probes of the list">
      <span>
        <a href={linkTo({ view: "probes", filters, page: Math.floor(number / PAGE) + 1 })}>List</a>{" "}
        {isListed
          ? `${count(number + 1)} of ${count(selection.places.length)}`
          : `of ${count(selection.places.length)}`}
      </span>
      <span class="keys">
        <Step to={previous} keys="←">
          Previous
        </Step>
        <Step to={next} keys="→">
          Next
        </Step>
        <Step to={nextDocument} keys="⇧ →">
          Next document
        </Step>
      </span>
    </nav>
  );
}

function Step(props: { to: Address | undefined; keys: string; children: string }) {
  const { to, keys, children } = props;
  const inside = (
    <>
      {children} <kbd>{keys}</kbd>
    </>
  );
  return to ? <a href={linkTo(to)}>{inside}</a> : <span class="none">{inside}</span>;
}

/** The number of the first of these increasing places that is at least `place`. */
function firstFrom(places: Uint32Array, place: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]! < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

function addressOf(probes: Probes, place: number, filters: Filters): SlotAddress {
  const key = probes.documents[probes.document[place]!]!;
  return {
    view: "slot",
    filters,
    round: key.round,
    document: key.id,
    slot: probes.slot[place]!,
  };
}

interface SlotProps extends Props {
  document: Document;
  rejected: Row[];
  units: Units | undefined;
  /** Of this probe. */
  findings: Row[];
  controls: Row[];
}

function Slot(props: SlotProps) {
  const { dataset, document, rejected, units, address, rounds, meanings } = props;
  const [showsUnits, setShowsUnits] = useState(false);
  const probe = document.probes.find((other) => other.slot_idx === address.slot);
  const rejection = rejected.find((row) => row.slot_idx === address.slot);
  const round = rounds.find((other) => other.round_number === address.round);
  const { reading, change, isKept } = props;
  // Other parts can tell what the scores are.
  const showsMore = !reading.isBlind;
  const place: Place = {
    round: address.round,
    document: address.document,
    slot: address.slot,
    question: probe?.verbalizer_prompt ?? "",
  };
  useSettled(true);
  const heading = useHeading(`${address.round}/${address.document}/${address.slot}`);
  return (
    <>
      <header class="question">
        {probe ? (
          <Properties
            {...{ probe, meanings }}
            findings={props.findings.map((row) => String(row.finding))}
          />
        ) : (
          <p>Slot {address.slot}</p>
        )}
        <h1 dir="auto" ref={heading} tabIndex={-1}>
          {probe ? <Text>{probe.verbalizer_prompt}</Text> : "No probe"}
        </h1>
      </header>
      <div class="columns">
        <div class="left">
          <DocumentText
            document={document}
            probe={probe}
            units={showsUnits ? units : undefined}
            complementCharacters={round?.complement_characters ?? Number.POSITIVE_INFINITY}
          />
          <p class="legend">
            {probe && <Legend />}
            {units && (
              <button
                type="button"
                aria-pressed={showsUnits}
                onClick={() => setShowsUnits(!showsUnits)}
              >
                Sentences and paragraphs
              </button>
            )}
          </p>
          <Slots {...props} />
        </div>
        <div class="right">
          {probe && <Answers {...{ document, probe, round, place, reading, change }} />}
          {showsMore && <Findings rows={props.findings} meanings={meanings} />}
          {probe && (
            <ReadingOf probeId={probe.probe_id} {...{ place, reading, change, isKept, meanings }} />
          )}
          {showsMore && <Controls rows={props.controls} meanings={meanings} />}
          {probe && showsMore && <MethodAnswers {...{ dataset, document, probe, meanings }} />}
          {probe && showsMore && <TextReaders {...{ dataset, document, probe, meanings }} />}
          {probe && <Checks probe={probe} />}
          {rejection && <Rejection row={rejection} />}
          <Origin document={document} probe={probe} round={round} />
        </div>
      </div>
      {probe && <Siblings key={probe.probe_id} {...{ dataset, document, probe, meanings }} />}
    </>
  );
}

function Properties(props: { probe: Probe; meanings: Meanings; findings: string[] }) {
  const { probe, meanings, findings } = props;
  const isBlind = useContext(Blind);
  const best = probe.scores ? Math.max(...probe.scores) : null;
  const band = bandOf(best === null ? UNSCORED : Math.round(100 * best));
  const distance = Math.abs(probe.actual_word_distance_from_split ?? 0);
  return (
    <p class="properties">
      {best !== null && !isBlind && (
        <span class={`band ${band}`}>
          {band.toUpperCase()} {best.toFixed(2)}
        </span>
      )}
      <span title={meanings.of("scope", probe.scope)}>{probe.scope}</span>
      <span title={meanings.of("target", probe.target)}>{probe.target}</span>
      {probe.typicality && (
        <span title={meanings.of("typicality", probe.typicality)}>{probe.typicality}</span>
      )}
      {probe.n_tokens_actual !== null && <span>{probe.n_tokens_actual} tokens</span>}
      {distance > 0 && (
        <span>
          {distance} {distance === 1 ? "word" : "words"} from the split
        </span>
      )}
      <FindingNames names={findings} meanings={meanings} />
    </p>
  );
}

function Legend() {
  return (
    <>
      <span class="complement">complement</span>
      <span class="split" aria-hidden="true" /> split
      <mark class="atom">atom</mark>
      <span class="rest">not shown to the answerer</span>
    </>
  );
}

function Answers(props: {
  document: Document;
  probe: Probe;
  round: Round | undefined;
  place: Place;
  reading: Reading;
  change: Change;
}) {
  const { document, probe, round, place, reading, change } = props;
  const fieldOf = (answer: string, number: number) => {
    const id = answerId(document.round_number, probe.probe_id, number);
    const answer_hash = md5(answer);
    const found = reading.ratings[id];
    return (
      <ScoreField
        key={id}
        label={`Your score of answer ${number}`}
        value={found?.answer_hash === answer_hash ? found.score : undefined}
        onScore={(score) =>
          change(({ ratings }) => {
            if (score === undefined) delete ratings[id];
            else ratings[id] = { ...place, answer_hash, score };
          })
        }
      />
    );
  };
  const atom = atomOf(document, probe);
  return (
    <>
      <section class="truth" aria-label="Right and wrong answer">
        <h2>Right answer</h2>
        <Passage>{probe.target_response ?? atom}</Passage>
        {probe.incorrect_plausible_answer && (
          <>
            <h2>Wrong answer</h2>
            <Passage>{probe.incorrect_plausible_answer}</Passage>
          </>
        )}
      </section>
      {probe.answers && (
        <section class="answers" aria-labelledby="answers">
          <h2 id="answers">
            Answers from the complement <small>{round?.answerer_model}</small>
          </h2>
          <ol>
            {probe.answers.map((answer, number) => (
              <li key={number}>
                {reading.isBlind ? (
                  fieldOf(answer, number + 1)
                ) : (
                  <Score value={probe.scores?.[number] ?? null} />
                )}
                <div>
                  <Passage>{answer}</Passage>
                  <details class="prompt">
                    <summary aria-label={`Judge’s prompt for answer ${number + 1}`}>
                      Judge’s prompt
                    </summary>
                    <pre>
                      <Text>
                        {judgePrompt({
                          verbalizer_prompt: probe.verbalizer_prompt,
                          atom_text: atom,
                          answer,
                        })}
                      </Text>
                    </pre>
                  </details>
                </div>
              </li>
            ))}
          </ol>
        </section>
      )}
    </>
  );
}

/** The same question with something else to read than the complement. */
function Controls({ rows, meanings }: { rows: Row[]; meanings: Meanings }) {
  if (rows.length === 0) return null;
  return (
    <section class="answers" aria-labelledby="controls">
      <h2 id="controls">Controls</h2>
      {rows.map((row) => {
        const arm = String(row.arm);
        return (
          <details key={`${arm} ${row.answerer_model}`}>
            <summary title={meanings.of("arm", arm)}>
              {arm.replaceAll("_", " ")}
              <span class="score-list">
                {(row.scores as number[]).map((score, number) => (
                  <Score key={number} value={score} />
                ))}
              </span>
            </summary>
            <AnswerList answers={row.answers as string[]} scores={row.scores as number[]} />
          </details>
        );
      })}
    </section>
  );
}

/** All slots of the document, with the band of their probes. */
function Slots({ document, rejected, address }: SlotProps) {
  const isBlind = useContext(Blind);
  const slots = [
    ...document.probes.map((probe) => ({ slot: probe.slot_idx, scope: probe.scope, probe })),
    ...rejected.map((row) => ({
      slot: Number(row.slot_idx),
      scope: String(row.scope),
      probe: undefined,
    })),
  ].sort((a, b) => a.slot - b.slot);
  return (
    <nav class="slots" aria-label="Slots of this document">
      {slots.map(({ slot, scope, probe }) => {
        const best = probe?.scores ? Math.round(100 * Math.max(...probe.scores)) : UNSCORED;
        const about = probe ? bandOf(isBlind ? UNSCORED : best) : "rejected";
        return (
          <a
            key={slot}
            class={about}
            href={linkTo({ ...address, slot })}
            aria-current={slot === address.slot ? "page" : undefined}
            aria-label={`Slot ${slot}: ${scope}, ${about}`}
            title={`${scope}${probe ? ` · ${probe.target}` : ""} · ${about}`}
          >
            {slot}
          </a>
        );
      })}
    </nav>
  );
}
