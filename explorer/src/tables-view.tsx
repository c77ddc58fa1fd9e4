// Views of the small tables: rejections, arms, spend.
import { type ComponentChildren, Fragment } from "preact";
import { type Address, linkTo, noFilters, type ViewName } from "./address";
import type { Dataset, Row } from "./dataset";
import { useLoaded } from "./loading";
import type { Meanings } from "./meanings";
import { Interval } from "./pictures";
import { useHeading } from "./places";
import { count, Sql, Text, When } from "./shown";
import { Table } from "./table";

/** Each view, and the table that it shows. */
export const TABLE_VIEWS: { view: ViewName; table: string }[] = [
  { view: "rejections", table: "rejections" },
  { view: "arms", table: "arm_lift" },
  { view: "leaderboard", table: "oracle_leaderboard" },
  { view: "spend", table: "spend" },
];

interface Props {
  dataset: Dataset;
  meanings: Meanings;
  address: Extract<Address, { reason?: string }>;
}

export function TablesView(props: Props) {
  const { dataset, meanings, address } = props;
  const table = TABLE_VIEWS.find(({ view }) => view === address.view)?.table ?? "";
  const loaded = useLoaded(table, () => dataset.rows(table));
  return (
    <When loaded={loaded}>
      {(rows) =>
        address.view === "rejections" ? (
          <Rejections rows={rows} reason={address.reason} />
        ) : address.view === "arms" ? (
          <Arms rows={rows} meanings={meanings} />
        ) : address.view === "leaderboard" ? (
          <Leaderboard rows={rows} meanings={meanings} />
        ) : (
          <Spend rows={rows} />
        )
      }
    </When>
  );
}

const LISTED = 200;
const TOP = 10;

/** Slots without a probe: how many for which reason, in which documents, and which. */
function Rejections({ rows, reason }: { rows: Row[]; reason: string | undefined }) {
  const shown = reason ? rows.filter((row) => row.rejection_reason === reason) : rows;
  const reasons = counted(rows, (row) => String(row.rejection_reason));
  const documents = counted(shown, (row) => `${row.round_number}/${row.doc_id}`).slice(0, TOP);
  const where = reason ? `\nwhere rejection_reason = '${reason.replaceAll("'", "''")}'` : "";
  return (
    <>
      <Title
        level={1}
        title={`${count(rows.length)} slots without a probe`}
        query={
          "select rejection_reason, count(*) as slots\nfrom 'rejections/*.parquet'\ngroup by all\norder by slots desc"
        }
      />
      <ul class="reasons">
        {reasons.map(([name, found]) => (
          <li key={name} class={reason && reason !== name ? "outside" : ""}>
            <a
              href={linkTo(rejections(reason === name ? undefined : name))}
              aria-current={reason === name ? "true" : undefined}
            >
              {name.replaceAll("_", " ")}
            </a>
            <span class="number">{count(found.length)}</span>
            <meter min={0} max={reasons[0]![1].length} value={found.length} aria-label={name} />
            <p>{String(found[0]!.meaning)}</p>
          </li>
        ))}
      </ul>
      <Title
        title={`Documents with the most ${reason ? "of these" : "rejected"} slots`}
        query={`select round_number, doc_id, count(*) as slots\nfrom 'rejections/*.parquet'${where}\ngroup by all\norder by slots desc\nlimit ${TOP}`}
      />
      <Table
        names={["Document", "Round", "Rejected slots"]}
        numbers={[1, 2]}
        rows={documents.map(([name, found]) => [
          <SlotLink key={name} row={found[0]!}>
            {String(found[0]!.doc_id)}
          </SlotLink>,
          String(found[0]!.round_number),
          count(found.length),
        ])}
      />
      <Title
        title={
          shown.length > LISTED ? `First ${LISTED} of ${count(shown.length)} slots` : "All slots"
        }
        query={`from 'rejections/*.parquet'${where}`}
      />
      <Table
        names={["Document", "Slot", "Scope", "Reason", "Generator’s reason"]}
        numbers={[1]}
        rows={shown.slice(0, LISTED).map((row) => [
          <SlotLink key="document" row={row}>
            {String(row.doc_id)}
          </SlotLink>,
          String(row.slot_idx),
          String(row.scope),
          String(row.rejection_reason).replaceAll("_", " "),
          row.reason_declined ? <Text key="declined">{String(row.reason_declined)}</Text> : "",
        ])}
      />
    </>
  );
}

function rejections(reason: string | undefined): Address {
  return reason ? { view: "rejections", reason } : { view: "rejections" };
}

function SlotLink({ row, children }: { row: Row; children: string }) {
  const link = linkTo({
    view: "slot",
    filters: noFilters(),
    round: Number(row.round_number),
    document: String(row.doc_id),
    slot: Number(row.slot_idx),
  });
  return (
    <a href={link}>
      <Text>{children}</Text>
    </a>
  );
}

/** Rows by a key, largest group first. */
function counted(rows: Row[], keyOf: (row: Row) => string): [string, Row[]][] {
  return [...Map.groupBy(rows, keyOf)].toSorted((a, b) => b[1].length - a[1].length);
}

/** How far from zero the intervals of these rows reach, as a round number. */
function scaleOf(rows: Row[], name: string): number {
  const ends = rows.flatMap((row) => [row[`${name}_low`], row[`${name}_high`]]);
  const furthest = Math.max(0, ...ends.map((end) => Math.abs(Number(end ?? 0))));
  return [0.1, 0.2, 0.5].find((scale) => scale >= furthest) ?? 1;
}

const axisOf = (scale: number): string => `−${scale} to +${scale}`;

/** What the answerer scores when it is shown something else than the complement. */
function Arms({ rows, meanings }: { rows: Row[]; meanings: Meanings }) {
  const total = rows.filter((row) =>
    ["scope", "target", "typicality", "atom_origin"].every((name) => row[name] === "all"),
  );
  const scale = scaleOf(total, "difference");
  const measures = [...new Set(total.map((row) => String(row.measure)))];
  if (total.length === 0) return <p class="empty">No arm was asked for.</p>;
  return (
    <>
      <Heading>What the answerer is shown, and what it scores</Heading>
      <section class="notes">
        <dl>
          {[...new Set(total.map((row) => String(row.arm)))].map((arm) => (
            <div key={arm}>
              <dt>{arm.replaceAll("_", " ")}</dt>
              <dd>
                <Text>{meanings.of("arm", arm) ?? ""}</Text>
              </dd>
            </div>
          ))}
        </dl>
      </section>
      {measures.map((measure) => (
        <section key={measure}>
          <Title
            title={measure[0]!.toUpperCase() + measure.slice(1)}
            query={`from 'arm_lift/*.parquet'\nwhere measure = '${measure}' and scope = 'all' and target = 'all'\n    and typicality = 'all' and atom_origin = 'all'`}
          />
          <Table
            names={[
              "Arm",
              "Probes",
              measure.startsWith("share") ? "Share" : "Score",
              "Complement, same probes",
              "Difference",
              "95 % interval",
              axisOf(scale),
            ]}
            numbers={[1, 2, 3, 4, 5]}
            rows={total
              .filter((row) => row.measure === measure)
              .map((row) => [
                <span key="arm">
                  {String(row.arm).replaceAll("_", " ")}
                  {row.arm === "second_reader" && ` (${row.answerer_model})`}
                </span>,
                count(Number(row.n_probes)),
                fixed(row.estimate),
                row.arm === "complement" ? "" : fixed(row.complement_estimate),
                row.arm === "complement" ? "" : signed(row.difference),
                ...(row.difference_low === null ? ["", ""] : intervalOf(row, "difference", scale)),
              ])}
          />
        </section>
      ))}
      <p class="note">
        The difference is to the complement on the same probes; intervals resample documents.
      </p>
    </>
  );
}

/** What the real state adds to the answers of methods, with intervals. */
function Leaderboard({ rows, meanings }: { rows: Row[]; meanings: Meanings }) {
  const place = (row: Row): number => Number(row.place ?? Number.POSITIVE_INFINITY);
  const methods = rows
    .filter((row) => row.is_headline)
    .toSorted((a, b) => place(a) - place(b) || Number(b.headline ?? -2) - Number(a.headline ?? -2));
  if (!methods.some((row) => !row.is_baseline)) {
    return (
      <>
        <Heading>Leaderboard</Heading>
        <p class="note">
          No method has been evaluated on these probes. <code>latent-probes adopt</code> makes a
          home from the data set, and <code>latent-probes evaluate</code> ranks there the methods
          whose answers have landed.
        </p>
      </>
    );
  }
  const scale = scaleOf(methods, "headline");
  return (
    <>
      <Title
        level={1}
        title="What the state adds on HARD suffix probes"
        query={
          "select place, oracle, headline, headline_low, headline_high, no_place_reason\n" +
          "from 'oracle_leaderboard/*.parquet'\nwhere is_headline\norder by place, headline desc"
        }
      />
      <Best methods={methods} />
      <Table
        names={[
          "Place",
          "Method",
          "Headline",
          "95 % interval",
          axisOf(scale),
          "HARD probes",
          "Score on them",
        ]}
        numbers={[0, 2, 3, 5, 6]}
        rows={methods.map((row) => [
          row.place === null ? "–" : String(row.place),
          <Text key="method">{String(row.oracle)}</Text>,
          row.headline === null ? (
            <span key="reason" title={meanings.of("no_place_reason", String(row.no_place_reason))}>
              {String(row.no_place_reason ?? "–").replaceAll("_", " ")}
            </span>
          ) : (
            signed(row.headline)
          ),
          ...(row.headline_low === null ? ["", ""] : intervalOf(row, "headline", scale)),
          count(Number(row.n_hard ?? 0)),
          fixed(row.hard_score),
        ])}
      />
      <p class="note">
        The headline is the method’s score with the real state minus that without a state, or minus
        that with another document’s state, if that is smaller. Methods whose headlines do not
        differ significantly share a place.
      </p>
    </>
  );
}

/** Which methods are first, and how sure that is, in words. */
function Best({ methods }: { methods: Row[] }) {
  const placed = methods.filter(({ place }) => place !== null);
  const first = placed.filter(({ place }) => Number(place) === 1);
  if (first.length === 0) return <p class="note best">No method has a place.</p>;
  const { headline, headline_low, headline_high } = first[0]!;
  const of = `${count(placed.length)} ${placed.length === 1 ? "method" : "methods"}`;
  return (
    <p class="note best">
      {first.map(({ oracle }, number) => (
        <Fragment key={String(oracle)}>
          {number > 0 && (number === first.length - 1 ? " and " : ", ")}
          <b>
            <Text>{String(oracle)}</Text>
          </b>
        </Fragment>
      ))}
      {first.length === 1
        ? ` has the first place of ${of}. Its headline is ${signed(headline)}`
        : ` share the first place of ${of}: their headlines do not differ significantly. The largest is ${signed(headline)}`}
      {headline_low !== null &&
        ` (95 % interval ${signed(headline_low)} to ${signed(headline_high)})`}
      {headline_low !== null && Number(headline_low) <= 0 && ": the state might add nothing"}.
    </p>
  );
}

/** The interval of a difference, as text and as picture. */
function intervalOf(row: Row, name: string, scale: number): ComponentChildren[] {
  const [value, low, high] = [name, `${name}_low`, `${name}_high`].map((column) => row[column]);
  return [
    `${signed(low)} to ${signed(high)}`,
    <Interval
      key="interval"
      value={Number(value)}
      low={Number(low)}
      high={Number(high)}
      from={-scale}
      to={scale}
    />,
  ];
}

/** Tokens and dollars by round, stage, model and provider. */
function Spend({ rows }: { rows: Row[] }) {
  const total = rows.reduce((sum, row) => sum + Number(row.usd ?? 0), 0);
  const dollars = (value: unknown): string =>
    value === null
      ? "–"
      : Number(value).toLocaleString("en", { style: "currency", currency: "USD" });
  return (
    <>
      <Title
        level={1}
        title={`${dollars(total)} in all`}
        query={
          "select round_number, stage, model, provider, n_succeeded, input_tokens, output_tokens, usd\nfrom 'spend/*.parquet'\norder by round_number, stage_order"
        }
      />
      <Table
        names={[
          "Round",
          "Stage",
          "Model",
          "Provider",
          "Answers",
          "Input tokens",
          "Output tokens",
          "USD",
        ]}
        numbers={[4, 5, 6, 7]}
        rows={rows
          .toSorted(
            (a, b) =>
              Number(a.round_number) - Number(b.round_number) ||
              Number(a.stage_order) - Number(b.stage_order),
          )
          .map((row) => [
            String(row.round_number),
            String(row.stage),
            <Text key="model">{String(row.model)}</Text>,
            String(row.provider),
            count(Number(row.n_succeeded)),
            count(Number(row.input_tokens)),
            count(Number(row.output_tokens)),
            dollars(row.usd),
          ])}
      />
    </>
  );
}

const fixed = (value: unknown): string => (value === null ? "–" : Number(value).toFixed(2));
const signed = (value: unknown): string => {
  const text = fixed(value);
  return text.startsWith("-") ? text.replace("-", "−") : `+${text}`;
};

function Title({ title, query, level = 2 }: { title: string; query: string; level?: 1 | 2 }) {
  return (
    <header class="title">
      {level === 1 ? <Heading>{title}</Heading> : <h2>{title}</h2>}
      <Sql of={title} query={query} />
    </header>
  );
}

function Heading({ children }: { children: string }) {
  return (
    <h1 ref={useHeading(children)} tabIndex={-1}>
      {children}
    </h1>
  );
}
