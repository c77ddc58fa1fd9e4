// What a person notes while reading: marks of probes and scores of answers, kept in the browser.
import { useState } from "preact/hooks";
import type { Round } from "./dataset";
import { csvOf } from "./downloads";
import { md5 } from "./md5";

/** Where a probe is, and the question that was read. */
export interface Place {
  round: number;
  document: string;
  slot: number;
  question: string;
}

export interface Mark extends Place {
  /** Empty for a note alone. */
  mark: string;
  note: string;
}

export interface Rating extends Place {
  /** MD5 of the answer that was read. */
  answer_hash: string;
  score: number;
}

/** Marks by probe id, ratings by answer id. */
export interface Reading {
  marks: Record<string, Mark>;
  ratings: Record<string, Rating>;
  /** Whether scores are hidden, so that answers can be scored without seeing the judge's. */
  isBlind: boolean;
}

export type Change = (change: (reading: Reading) => void) => void;

/** The reading of a set, and how to change it. The set is known by its first round. */
export function useReading(rounds: Round[]): [Reading, Change] {
  const key = keyOf(rounds);
  const [reading, setReading] = useState(() => kept(key) ?? none());
  const change: Change = (apply) => {
    // Another tab can have changed it.
    const next = structuredClone(kept(key) ?? reading);
    apply(next);
    keep(key, next);
    setReading(next);
  };
  return [reading, change];
}

const none = (): Reading => ({ marks: {}, ratings: {}, isBlind: false });

function keyOf(rounds: Round[]): string {
  const first = rounds.toSorted((a, b) => a.round_number - b.round_number)[0];
  const { source_model, seed, generator_model, answerer_model, judge_model } = first ?? {};
  const models = [source_model, generator_model, answerer_model, judge_model];
  return `latent-probes ${JSON.stringify([...models, seed])}`;
}

/** What is kept in the browser under this key, if it is that of this page. */
function kept(key: string): Reading | undefined {
  try {
    const found = JSON.parse(localStorage.getItem(key) ?? "null") as unknown;
    return isReading(found) ? found : undefined;
  } catch {
    // The browser keeps nothing, or something else.
    return undefined;
  }
}

function keep(key: string, reading: Reading): void {
  try {
    localStorage.setItem(key, JSON.stringify(reading));
  } catch {
    // It is full, or keeps nothing: what was noted can be downloaded while the page is open.
  }
}

/** Any page of this address could have written there. */
function isReading(found: unknown): found is Reading {
  const has = (value: unknown, kinds: Record<string, string>): boolean =>
    typeof value === "object" &&
    value !== null &&
    Object.entries(kinds).every(
      ([name, kind]) => typeof (value as Record<string, unknown>)[name] === kind,
    );
  const place = { round: "number", document: "string", slot: "number", question: "string" };
  if (!has(found, { marks: "object", ratings: "object", isBlind: "boolean" })) return false;
  const { marks, ratings } = found as Reading;
  return (
    Object.values(marks).every((mark) => has(mark, { ...place, mark: "string", note: "string" })) &&
    Object.values(ratings).every((rating) =>
      has(rating, { ...place, answer_hash: "string", score: "number" }),
    )
  );
}

/** The id of an answer from the complement, as the warehouse computes it; numbers begin with 1. */
export function answerId(round: number, probeId: string, number: number): string {
  return `answerer-${md5(JSON.stringify([round, probeId, "complement", "answerer", number, 1]))}`;
}

/** The marks as a file for `latent-probes land-marks`. */
export function marksFile({ marks }: Reading): string {
  return csvOf(
    ["probe_id", "question_hash", "mark", "note", "question"],
    Object.entries(marks).map(([id, { mark, note, question }]) => [
      id,
      md5(question),
      mark,
      note,
      question,
    ]),
  );
}

/** The ratings as a sheet for `latent-probes land-ratings`. */
export function ratingsFile({ ratings }: Reading): string {
  return csvOf(
    ["answer_id", "answer_hash", "question", "score"],
    Object.entries(ratings).map(([id, { answer_hash, question, score }]) => [
      id,
      answer_hash,
      question,
      String(score),
    ]),
  );
}
