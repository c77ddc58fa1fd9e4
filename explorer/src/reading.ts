// What a person notes while reading: marks of probes and scores of answers, kept in the browser.
import { useEffect, useRef, useState } from "preact/hooks";
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
  /** Empty for a note alone; without a note, too, what was landed of the probe is withdrawn. */
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

/**
 * The reading of a set, how to change it, and whether the browser keeps it.
 *
 * The set is known by its first round. What a browser cannot keep, because its storage is full or
 * switched off, is there while the page is open, and leaving it asks first.
 */
export function useReading(rounds: Round[]): [Reading, Change, boolean] {
  const key = keyOf(rounds);
  const [reading, setReading] = useState(() => kept(key) ?? none());
  const latest = useRef(reading);
  const unkept = useRef<((reading: Reading) => void)[]>([]);
  const [isKept, setIsKept] = useState(true);
  const change: Change = (apply) => {
    // Another tab can have changed what is kept: all that is not yet kept is done to that. Without
    // it, because the browser keeps nothing or was told to forget, there is what this page shows.
    const stored = kept(key);
    const next = structuredClone(stored ?? latest.current);
    unkept.current.push(apply);
    for (const one of stored ? unkept.current : [apply]) one(next);
    latest.current = next;
    const wasKept = keep(key, next);
    if (wasKept) unkept.current = [];
    setReading(next);
    setIsKept(wasKept);
  };
  useEffect(() => {
    if (isKept) return;
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [isKept]);
  return [reading, change, isKept];
}

/** Marks that were not withdrawn. */
export const given = ({ marks }: Reading): Mark[] =>
  Object.values(marks).filter(({ mark, note }) => mark || note);

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

/** Keep it in the browser; false if that is full, or keeps nothing. */
function keep(key: string, reading: Reading): boolean {
  try {
    localStorage.setItem(key, JSON.stringify(reading));
    return true;
  } catch {
    return false;
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

/** The marks as a file for `latent-probes land-marks`, which also withdraws what was removed. */
export function marksFile({ marks }: Reading): string {
  return csvOf(
    ["probe_id", "question_hash", "mark", "note", "question"],
    Object.entries(marks).map(([id, { mark, note, question }]) => [
      id,
      md5(question),
      mark || note ? mark : "withdrawn",
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
