// What stands beside a probe and is read when it is opened: other texts, and other readers of its text.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Dataset, Row } from "./dataset";
import { atomOf } from "./document-text";
import type { Document, Probe } from "./documents";
import { useLoaded } from "./loading";
import type { Meanings } from "./meanings";
import { type Recurring, recurring } from "./recurring";
import { Passage, Score, Text, When } from "./shown";
import { Table } from "./table";

interface Props {
  dataset: Dataset;
  document: Document;
  probe: Probe;
  meanings: Meanings;
}

/** A part whose rows of a table are read when it is opened; none if the table is not published. */
function Beside(
  props: Props & { title: string; table: string; children: (rows: Row[]) => ComponentChildren },
) {
  const { dataset, document, title, table, children } = props;
  const [isOpen, setIsOpen] = useState(false);
  if (dataset.files(table).length === 0) return null;
  const { round_number, doc_id } = document;
  const read = async (): Promise<Row[]> =>
    (await dataset.rowsOf(table, round_number, doc_id)) ?? [];
  return (
    <details class="beside" onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>
        <h2>{title}</h2>
      </summary>
      {isOpen && (
        <Rows read={read} of={`${table} of ${round_number}/${doc_id}`}>
          {children}
        </Rows>
      )}
    </details>
  );
}

function Rows(props: {
  of: string;
  read: () => Promise<Row[]>;
  children: (rows: Row[]) => ComponentChildren;
}) {
  return <When loaded={useLoaded(props.of, props.read)}>{props.children}</When>;
}

interface Continuation {
  continuation_idx: number;
  is_further: boolean;
  continuation: string;
}

/** Other continuations of the prefix side by side, with the words of a suffix atom that recur. */
export function Siblings(props: Props) {
  const { document, probe } = props;
  const of = probe.target === "suffix" ? atomOf(document, probe) : "";
  return (
    <Beside {...props} title="Siblings" table="siblings">
      {(rows) => {
        const prefix = String(rows[0]?.prefix ?? "");
        const others = ((rows[0]?.continuations ?? []) as Continuation[]).filter(
          ({ continuation }) => !document.doc.startsWith(prefix + continuation),
        );
        if (others.length === 0) return <p class="empty">None was shown to the generator.</p>;
        return (
          <div class="siblings">
            {others.map((other) => (
              <Sibling
                key={other.continuation_idx}
                of={other}
                found={recurring(of, other.continuation.trimStart())}
              />
            ))}
          </div>
        );
      }}
    </Beside>
  );
}

function Sibling({ of, found }: { of: Continuation; found: Recurring }) {
  const { continuation_idx, is_further, continuation } = of;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a long text scrolls by keyboard, too
    <section tabIndex={0} aria-label={`Continuation ${continuation_idx}`}>
      <h3>
        Continuation {continuation_idx}
        {is_further && ", for comparison alone"}
        {found.nWords > 0 && (
          <small>
            {" "}
            {found.nFound} of {found.nWords} words of the atom
          </small>
        )}
      </h3>
      <p class="passage" dir="auto">
        {found.parts.map(({ text, isFound }, number) =>
          isFound ? (
            <mark key={number}>
              <Text>{text}</Text>
            </mark>
          ) : (
            <Text key={number}>{text}</Text>
          ),
        )}
      </p>
      {continuation === "" && <p class="empty">Nothing of it was shown.</p>}
    </section>
  );
}

/** What each method answered under each condition. */
export function MethodAnswers(props: Props) {
  const { probe, meanings } = props;
  return (
    <Beside {...props} title="Answers of methods" table="method_answers">
      {(rows) => {
        const answered = rows.filter((row) => row.slot_idx === probe.slot_idx);
        if (answered.length === 0) return <p class="empty">No method answered this probe.</p>;
        return (
          <ol class="answers">
            {answered.map((row) => (
              <li key={`${row.oracle} ${row.condition}`}>
                <Score value={row.score_mean as number | null} />
                <div>
                  <h3>
                    <Text>{String(row.oracle)}</Text>{" "}
                    <small title={meanings.of("condition", String(row.condition))}>
                      <Text>{String(row.condition).replaceAll("_", " ")}</Text>
                    </small>
                  </h3>
                  {(row.answers as string[]).map((answer, number) => (
                    <Passage key={number}>{answer}</Passage>
                  ))}
                </div>
              </li>
            ))}
          </ol>
        );
      }}
    </Beside>
  );
}

/** How local models and rules value the atom and the wrong answer, without reading a state. */
export function TextReaders(props: Props) {
  const { probe } = props;
  return (
    <Beside {...props} title="Local models and rules" table="text_readers">
      {(rows) => {
        const of = rows.filter((row) => row.slot_idx === probe.slot_idx);
        if (of.length === 0)
          return <p class="empty">No local model or rule has read this probe.</p>;
        return (
          <Table
            names={["Reader", "Measure", "Atom", "Wrong answer", "Prefers"]}
            numbers={[2, 3]}
            rows={of.map((row) => {
              const difference = Number(row.atom_value) - Number(row.wrong_answer_value);
              return [
                <Text key="reader">{String(row.reader)}</Text>,
                <Text key="measure">{String(row.measure).replaceAll("_", " ")}</Text>,
                Number(row.atom_value).toFixed(2),
                Number(row.wrong_answer_value).toFixed(2),
                difference === 0 ? "neither" : difference > 0 ? "atom" : "wrong answer",
              ];
            })}
          />
        );
      }}
    </Beside>
  );
}
