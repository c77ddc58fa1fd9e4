// Addresses of views: all state that is worth sharing is in the fragment, after #.
import { ORDERS, type Order } from "./order";
import { FACET_NAMES, type Facet } from "./probes";

/** Which probes are listed. A facet without values is not filtered. */
export interface Filters {
  facets: Record<Facet, string[]>;
  rounds: number[];
  findings: string[];
  /** Best score in hundredths, from and to, inclusive; null for any, also unscored probes. */
  best: [number, number] | null;
  /** Part of a document's id. */
  document: string;
  /** Part of a question or its answer; narrows the list, not the counts. */
  text: string;
  /** Whether atoms are searched, too. */
  atoms: boolean;
  order: Order;
}

export const VIEWS = ["probes", "rejections", "arms", "leaderboard", "spend", "reading"] as const;
export type ViewName = (typeof VIEWS)[number];

/** Each view with what it uses; `reason` selects rejections. */
export type Address =
  | { view: "probes"; filters: Filters; page: number }
  | { view: "slot"; filters: Filters; round: number; document: string; slot: number }
  | { view: Exclude<ViewName, "probes">; reason?: string };

export function noFilters(): Filters {
  const facets = Object.fromEntries(FACET_NAMES.map((name) => [name, []])) as unknown;
  return {
    facets: facets as Filters["facets"],
    rounds: [],
    findings: [],
    best: null,
    document: "",
    text: "",
    atoms: false,
    order: "",
  };
}

/** Read an address; anything that is not one is the first page of all probes. */
export function parsed(fragment: string): Address {
  const [path = "", query = ""] = fragment.replace(/^#?\/?/, "").split("?", 2);
  const values = new URLSearchParams(query);
  const filters = parsedFilters(values);
  const [name, ...parts] = path.split("/");
  if (name === "probe" && parts.length === 3) {
    const [round, document, slot] = parts as [string, string, string];
    return {
      view: "slot",
      filters,
      round: Number(round),
      document: decoded(document),
      slot: Number(slot),
    };
  }
  const view = VIEWS.find((known) => known === name) ?? "probes";
  if (view === "probes") {
    return { view, filters, page: Math.max(1, Number(values.get("page")) || 1) };
  }
  const reason = values.get("reason");
  return view === "rejections" && reason ? { view, reason } : { view };
}

function parsedFilters(values: URLSearchParams): Filters {
  const filters = noFilters();
  for (const facet of FACET_NAMES) filters.facets[facet] = values.getAll(facet);
  filters.rounds = values.getAll("round").map(Number).filter(Number.isInteger);
  filters.findings = values.getAll("finding");
  const best = /^(\d{1,3})-(\d{1,3})$/.exec(values.get("best") ?? "");
  if (best) filters.best = [Number(best[1]), Number(best[2])];
  filters.document = values.get("document") ?? "";
  filters.text = values.get("text") ?? "";
  filters.atoms = values.has("atoms");
  const order = values.get("order") ?? "";
  if (Object.hasOwn(ORDERS, order)) filters.order = order as Order;
  return filters;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address as the fragment of a link. */
export function linkTo(address: Address): string {
  const values = "filters" in address ? filtersAsQuery(address.filters) : new URLSearchParams();
  let path: string = address.view;
  if (address.view === "slot") {
    path = `probe/${address.round}/${encodeURIComponent(address.document)}/${address.slot}`;
  } else if (address.view === "probes") {
    if (address.page > 1) values.set("page", String(address.page));
  } else if (address.reason) {
    values.set("reason", address.reason);
  }
  const query = values.toString();
  return `#/${path}${query ? `?${query}` : ""}`;
}

function filtersAsQuery(filters: Filters): URLSearchParams {
  const values = new URLSearchParams();
  const { facets, rounds, findings, best, document, text, atoms, order } = filters;
  for (const facet of FACET_NAMES) for (const value of facets[facet]) values.append(facet, value);
  for (const round of rounds) values.append("round", String(round));
  for (const finding of findings) values.append("finding", finding);
  if (best) values.set("best", best.join("-"));
  if (document) values.set("document", document);
  if (text) values.set("text", text);
  if (atoms) values.set("atoms", "1");
  if (order) values.set("order", order);
  return values;
}
