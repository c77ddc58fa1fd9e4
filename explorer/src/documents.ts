// One document with all its probes, read from its row of `compact`.
import type { Dataset } from "./dataset";

/** A probe of a document; offsets are code points of the document's text. */
export interface Probe {
  probe_id: string;
  slot_idx: number;
  scope: string;
  target: "prefix" | "suffix";
  split_char_offset: number;
  atom_start: number;
  atom_end: number;
  verbalizer_prompt: string;
  /** Null if the answer is the atom. */
  target_response: string | null;
  incorrect_plausible_answer: string | null;
  answers: string[] | null;
  scores: number[] | null;
  typicality: string | null;
  actual_word_distance_from_split: number | null;
  n_tokens_actual: number | null;
  synergy_check: string | null;
  distribution_check: string | null;
  difficulty_check: string | null;
  source: string;
  atom_origin: string | null;
  is_nested: boolean | null;
}

export interface Document {
  round_number: number;
  source_model: string;
  doc_id: string;
  doc_source: string;
  doc: string;
  generator_model: string;
  doc_choice_rationale: string | null;
  split_rationale: string | null;
  tokenizer: string | null;
  probes: Probe[];
}

/** What a document is read by; its row is known once the probes are. */
export interface DocumentId {
  round: number;
  id: string;
  row?: number;
}

/** Where the source model began, and the sentences and paragraphs; in code points. */
export interface Units {
  prefix_length: number;
  sentences: { starts_at: number; ends_at: number }[];
  paragraphs: { starts_at: number; ends_at: number }[];
}

const KEPT = 30;
const kept = new Map<string, Promise<Document>>();

/** Read a document; the last ones are kept. */
export function readDocument(dataset: Dataset, key: DocumentId): Promise<Document> {
  const name = `${key.round}/${key.id}`;
  const found = kept.get(name) ?? read(dataset, key);
  kept.delete(name);
  kept.set(name, found);
  // It can be tried again.
  found.catch(() => kept.delete(name));
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
  return found;
}

/** Read a document that will probably be wanted next. */
export function expectDocument(dataset: Dataset, key: DocumentId | undefined): void {
  // If it fails, it does so again when it is wanted.
  if (key) readDocument(dataset, key).catch(() => undefined);
}

/** Read where the documents of a round are in its file, because one of them will be wanted. */
export function expectRound(dataset: Dataset, round: number): void {
  dataset
    .fileOf("compact", round)
    ?.footer()
    .catch(() => undefined);
}

async function read(dataset: Dataset, { round, id, row }: DocumentId): Promise<Document> {
  // Earlier versions wrote pages of more documents, of which one is found faster by its row.
  const rows = await (row === undefined
    ? dataset.rowsOf("compact", round, id)
    : dataset.fileOf("compact", round)?.rows({ rowStart: row, rowEnd: row + 1 }));
  if (rows?.[0]?.doc_id !== id) throw new Error(`Round ${round} has no document ${id}.`);
  return rows[0] as unknown as Document;
}

/** What the list shows of a probe. */
export interface Question {
  verbalizer_prompt: string;
  target_response: string;
}

/** Read questions and answers of some rows of a round's file, given in order. */
export async function readQuestions(
  dataset: Dataset,
  round: number,
  rows: number[],
): Promise<Question[]> {
  const file = dataset.fileOf("data", round);
  const found = new Map<number, Question>();
  await Promise.all(
    spansOf(rows).map(async ([rowStart, rowEnd]) => {
      const columns = ["verbalizer_prompt", "target_response"];
      const read = await file?.rows({ columns, rowStart, rowEnd });
      for (const [number, row] of (read ?? []).entries()) {
        found.set(rowStart + number, row as unknown as Question);
      }
    }),
  );
  return rows.map((row) => found.get(row)!);
}

/** Spans of rows that are read together: their pages are the same. */
function spansOf(rows: number[]): [number, number][] {
  const spans: [number, number][] = [];
  for (const row of rows) {
    const last = spans.at(-1);
    if (last && row - last[1] < 1000) last[1] = row + 1;
    else spans.push([row, row + 1]);
  }
  return spans;
}
