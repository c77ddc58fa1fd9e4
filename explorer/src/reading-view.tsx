// What a person has noted: on a probe, and all of it with the files to land.
import type { ComponentChildren } from "preact";
import { linkTo, noFilters } from "./address";
import type { Dataset, Row } from "./dataset";
import { download } from "./downloads";
import { useLoaded } from "./loading";
import type { Meanings } from "./meanings";
import { useHeading } from "./places";
import {
  type Change,
  given,
  type Mark,
  marksFile,
  type Place,
  type Reading,
  ratingsFile,
} from "./reading";
import { count, percent, Sql, Text } from "./shown";
import { Table } from "./table";

/** Mark a probe, note something about it, and hide its scores. */
export function ReadingOf(props: {
  probeId: string;
  place: Place;
  reading: Reading;
  change: Change;
  isKept: boolean;
  meanings: Meanings;
}) {
  const { probeId, place, reading, change, isKept, meanings } = props;
  const found = reading.marks[probeId];
  const of: Mark = found?.question === place.question ? found : { ...place, mark: "", note: "" };
  const set = (changed: Partial<Mark>): void =>
    change(({ marks }) => {
      // Also if nothing is left: it can have landed, and the file withdraws it.
      marks[probeId] = { ...of, ...changed };
    });
  return (
    <section class="reading" aria-labelledby="reading">
      <h2 id="reading">Your reading</h2>
      <fieldset>
        <legend class="visually-hidden">Mark</legend>
        {meanings.namesOf("mark").map((name) => (
          <button
            type="button"
            key={name}
            aria-pressed={of.mark === name}
            title={meanings.of("mark", name)}
            onClick={() => set({ mark: of.mark === name ? "" : name })}
          >
            <Text>{name}</Text>
          </button>
        ))}
        <button
          type="button"
          class="blind"
          aria-pressed={reading.isBlind}
          onClick={() =>
            change((next) => {
              next.isBlind = !next.isBlind;
            })
          }
        >
          Score answers without seeing scores
        </button>
      </fieldset>
      <textarea
        key={probeId}
        rows={1}
        aria-label="Note"
        placeholder="Note"
        maxLength={2000}
        value={of.note}
        onChange={(event) => set({ note: event.currentTarget.value.trim() })}
      />
      {!isKept && (
        <>
          <Unkept />
          <Downloads reading={reading} />
        </>
      )}
    </section>
  );
}

function Unkept() {
  return (
    <p class="unkept" role="alert">
      This browser does not keep your marks and scores: its storage is full or switched off.
      Download them before you close the page.
    </p>
  );
}

/** The files that carry marks and ratings to a home. */
function Downloads(props: { reading: Reading; children?: ComponentChildren }) {
  const { reading, children } = props;
  const { marks, ratings } = reading;
  return (
    <div class="actions">
      {Object.keys(marks).length > 0 && (
        <button type="button" onClick={() => download("marks.csv", marksFile(reading))}>
          Download marks
        </button>
      )}
      {Object.keys(ratings).length > 0 && (
        <button type="button" onClick={() => download("ratings.csv", ratingsFile(reading))}>
          Download scores
        </button>
      )}
      {children}
    </div>
  );
}

/** A field for the score that a person gives an answer. */
export function ScoreField(props: {
  label: string;
  value: number | undefined;
  onScore: (score: number | undefined) => void;
}) {
  const { label, value, onScore } = props;
  return (
    <input
      class="own-score"
      type="number"
      min={0}
      max={1}
      step={0.05}
      aria-label={label}
      value={value ?? ""}
      onChange={(event) => {
        const field = event.currentTarget;
        const score = field.valueAsNumber;
        if (field.value === "" || (score >= 0 && score <= 1)) {
          onScore(field.value === "" ? undefined : score);
        } else field.value = String(value ?? "");
      }}
    />
  );
}

/** All marks and ratings, and the files that carry them to a home. */
export function ReadingView(props: {
  dataset: Dataset;
  meanings: Meanings;
  reading: Reading;
  change: Change;
  isKept: boolean;
}) {
  const { dataset, meanings, reading, change, isKept } = props;
  const landed = useLoaded("finding_marks", () => dataset.rows("finding_marks"));
  const marks = given(reading).toSorted(byPlace);
  const nWithdrawn = Object.keys(reading.marks).length - marks.length;
  const ratings = Object.values(reading.ratings).toSorted(byPlace);
  const isEmpty = marks.length + nWithdrawn + ratings.length === 0;
  const forget = (): void => {
    const warning = "Remove all marks and scores from this browser? What has landed still counts.";
    if (!window.confirm(warning)) return;
    change((next) => {
      next.marks = {};
      next.ratings = {};
    });
  };
  return (
    <>
      <header class="title">
        <h1 ref={useHeading("reading")} tabIndex={-1}>
          Your reading
        </h1>
      </header>
      {!isKept && <Unkept />}
      {isEmpty ? (
        <p class="note">
          You have noted nothing yet. Open a probe, and mark it below its answers, or score these
          without seeing the judge’s scores. Marks and scores are kept in this browser, and listed
          here.
        </p>
      ) : (
        <>
          <p class="note">
            Marks and scores are kept in this browser until you remove them. Download them, and land
            them in the home of the data set:{" "}
            <code>latent-probes land-marks marks.csv --rater NAME</code>,{" "}
            <code>latent-probes land-ratings ratings.csv --rater NAME</code>.
            {nWithdrawn > 0 &&
              ` The file of marks also withdraws ${count(nWithdrawn)} that you removed.`}
          </p>
          <Downloads reading={reading}>
            <button type="button" onClick={forget}>
              Remove all
            </button>
          </Downloads>
        </>
      )}
      {marks.length > 0 && (
        <>
          <header class="title">
            <h2>
              {count(marks.length)} marked {marks.length === 1 ? "probe" : "probes"}
            </h2>
          </header>
          <Table
            names={["Mark", "Question", "Note"]}
            numbers={[]}
            rows={marks.map((mark) => [
              <Text key="mark">{mark.mark}</Text>,
              <Link key="question" place={mark} />,
              <Text key="note">{mark.note}</Text>,
            ])}
          />
        </>
      )}
      {ratings.length > 0 && (
        <>
          <header class="title">
            <h2>
              {count(ratings.length)} scored {ratings.length === 1 ? "answer" : "answers"}
            </h2>
          </header>
          <Table
            names={["Score", "Question"]}
            numbers={[0]}
            rows={ratings.map((rating) => [
              rating.score.toFixed(2),
              <Link key="question" place={rating} />,
            ])}
          />
        </>
      )}
      {landed.state === "ready" && landed.value.length > 0 && (
        <FindingMarks rows={landed.value} meanings={meanings} />
      )}
    </>
  );
}

/** How often marked probes have each mark, with and without a finding; as published. */
function FindingMarks({ rows, meanings }: { rows: Row[]; meanings: Meanings }) {
  const share = (value: unknown): string => (value === null ? "–" : percent(Number(value)));
  return (
    <>
      <header class="title">
        <h2>Findings against landed marks</h2>
        <Sql of="findings against marks" query="from 'finding_marks/*.parquet'" />
      </header>
      <Table
        names={["Finding", "Mark", "With it", "so marked", "Without", "so marked"]}
        numbers={[2, 3, 4, 5]}
        rows={rows.map((row) => [
          <span key="finding" title={meanings.of("finding", String(row.finding))}>
            <Text>{String(row.finding).replaceAll("_", " ")}</Text>
          </span>,
          <Text key="mark">{String(row.mark)}</Text>,
          count(Number(row.n_found)),
          share(row.share_of_found),
          count(Number(row.n_others)),
          share(row.share_of_others),
        ])}
      />
    </>
  );
}

function Link({ place }: { place: Place }) {
  const { round, document, slot, question } = place;
  return (
    <a href={linkTo({ view: "slot", filters: noFilters(), round, document, slot })}>
      <Text>{question}</Text>
    </a>
  );
}

const byPlace = (a: Place, b: Place): number =>
  a.round - b.round || a.document.localeCompare(b.document) || a.slot - b.slot;
