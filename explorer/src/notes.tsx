// What is known about a probe besides its texts: checks, findings, a rejection, the document.
import type { Round, Row } from "./dataset";
import type { Document, Probe } from "./documents";
import type { Meanings } from "./meanings";
import { Sql, Text } from "./shown";

export function Checks({ probe }: { probe: Probe }) {
  return (
    <Notes
      title="Generator’s checks"
      notes={[
        ["Synergy", probe.synergy_check],
        ["Distribution", probe.distribution_check],
        ["Difficulty", probe.difficulty_check],
      ]}
    />
  );
}

/** Automatic warnings on this probe. */
export function Findings({ rows, meanings }: { rows: Row[]; meanings: Meanings }) {
  return (
    <Notes
      title="Findings"
      notes={rows.map((row) => {
        const name = String(row.finding);
        const value = `Here ${fixed(row.value)}, found from ${fixed(row.threshold)}.`;
        return [name.replaceAll("_", " "), `${meanings.of("finding", name) ?? ""} ${value}`];
      })}
    />
  );
}

const fixed = (value: unknown): string => Number(value).toFixed(2);

/** A titled list of texts, without those that are missing. */
function Notes({ title, notes }: { title: string; notes: [string, string | null | undefined][] }) {
  const there = notes.filter((note): note is [string, string] => Boolean(note[1]));
  if (there.length === 0) return null;
  return (
    <section class="notes" aria-label={title}>
      <h2>{title}</h2>
      <dl>
        {there.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd dir="auto">
              <Text>{text}</Text>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function Rejection({ row }: { row: Row }) {
  return (
    <Notes
      title={`Rejected: ${String(row.rejection_reason).replaceAll("_", " ")}`}
      notes={[
        ["Meaning", String(row.meaning)],
        ["Scope", String(row.scope)],
        ["Generator’s reason", row.reason_declined as string | null],
      ]}
    />
  );
}

export function Origin(props: {
  document: Document;
  probe: Probe | undefined;
  round: Round | undefined;
}) {
  const { document, probe, round } = props;
  const key = `doc_id = '${document.doc_id.replaceAll("'", "''")}'`;
  const file = `'compact/train-round-${String(document.round_number).padStart(4, "0")}.parquet'`;
  const query = probe
    ? `select unnest(probe, max_depth := 1)\nfrom ${file}, unnest(probes) as _ (probe)\nwhere ${key} and probe.slot_idx = ${probe.slot_idx}`
    : `from ${file}\nwhere ${key}`;
  return (
    <>
      <Notes
        title="Document"
        notes={[
          ["Id", document.doc_id],
          ["Source", document.doc_source],
          ["Round", String(document.round_number)],
          ["Source model", document.source_model],
          ["Generator", document.generator_model],
          ["Judge", round?.judge_model],
          ["Why this document", document.doc_choice_rationale],
          ["Why these splits", document.split_rationale],
          ["Probe id", probe?.probe_id],
          ["Atom’s author", probe?.atom_origin],
        ]}
      />
      <Sql of="this probe" query={query} />
    </>
  );
}
