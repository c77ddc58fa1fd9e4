// The order in which selected probes are listed.
import { type Probes, UNSCORED } from "./probes";

/** Orders by the value that addresses have; "" is that of the files. */
export const ORDERS = {
  "": "in file order",
  hardest: "hardest first",
  easiest: "easiest first",
  random: "at random",
} as const;
export type Order = keyof typeof ORDERS;

/** The end of a query that has this order. Chance cannot be the same there. */
export const ORDER_SQL: Record<Order, string> = {
  "": "order by all",
  hardest: "order by bb_answer_score_max, doc_id, slot_idx",
  easiest: "order by bb_answer_score_max desc, doc_id, slot_idx",
  random: "order by random()",
};

/** The places, which increase, in this order; unscored probes are last. */
export function ordered(probes: Probes, places: Uint32Array, order: Order): Uint32Array {
  if (order === "") return places;
  if (order === "random") return shuffled(places);
  const key = (place: number): number => {
    const best = probes.best[place]!;
    return best === UNSCORED || order === "hardest" ? best : 100 - best;
  };
  const ends = new Uint32Array(UNSCORED + 2);
  for (const place of places) ends[key(place) + 1]! += 1;
  for (let at = 1; at < ends.length; at++) ends[at]! += ends[at - 1]!;
  const found = new Uint32Array(places.length);
  for (const place of places) found[ends[key(place)]!++] = place;
  return found;
}

/** A number holds 26 random bits above a place. */
const SHIFT = 2 ** 27;

/** The same order each time, so that an address leads to the same list. */
function shuffled(places: Uint32Array): Uint32Array {
  const keys = Float64Array.from(places, (place) => hashed(place) * SHIFT + place).sort();
  return Uint32Array.from(keys, (key) => key % SHIFT);
}

/** The finalizer of MurmurHash3. */
function hashed(number: number): number {
  let mixed = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 6;
}
