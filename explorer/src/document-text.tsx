// A document as its probe sees it: complement, split, atom, and the rest.
import { type ComponentChildren, Fragment } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Document, Probe, Units } from "./documents";
import { Text } from "./shown";
import { utf16Offsets } from "./text";

type Part = "complement" | "unseen" | "atom" | "rest";

/** A span of the document, in UTF-16 offsets. */
interface Segment {
  part: Part;
  start: number;
  end: number;
}

/** The text of the atom. */
export function atomOf(document: Document, probe: Probe): string {
  const [start, end] = utf16Offsets(document.doc, [probe.atom_start, probe.atom_end]);
  return document.doc.slice(start, end);
}

/** Cut the document into its parts, in order; the split is where the complement ends or begins. */
export function segmentsOf(text: string, probe: Probe, complementCharacters: number): Segment[] {
  const isSuffix = probe.target === "suffix";
  const split = probe.split_char_offset;
  // The answerer is shown what is nearest to the split.
  const seen = isSuffix ? Math.max(0, split - complementCharacters) : split + complementCharacters;
  const cuts = isSuffix
    ? [seen, split, probe.atom_start, probe.atom_end]
    : [probe.atom_start, probe.atom_end, split, seen];
  const [first, second, third, fourth] = utf16Offsets(text, cuts) as [
    number,
    number,
    number,
    number,
  ];
  const parts: Part[] = isSuffix
    ? ["unseen", "complement", "rest", "atom", "rest"]
    : ["rest", "atom", "rest", "complement", "unseen"];
  const ends = [first, second, third, fourth, text.length];
  return parts.map((part, number) => ({ part, start: ends[number - 1] ?? 0, end: ends[number]! }));
}

/** A name that is shown before the character at an offset. */
interface Mark {
  at: number;
  name: string;
}

/** The names of paragraphs and sentences where they begin, as in the generator's notes. */
function marksOf(text: string, units: Units): Mark[] {
  const names = new Map<number, string[]>();
  const add = (at: number, name: string): void => {
    names.set(at, [...(names.get(at) ?? []), name]);
  };
  for (const [number, { starts_at }] of units.paragraphs.entries())
    add(starts_at, `p${number + 1}`);
  for (const [number, { starts_at }] of units.sentences.entries()) add(starts_at, `s${number + 1}`);
  add(units.prefix_length, "source model");
  const points = [...names.keys()].sort((a, b) => a - b);
  const offsets = utf16Offsets(text, points);
  return points.map((point, number) => ({
    at: offsets[number]!,
    name: names.get(point)!.join(" "),
  }));
}

/** The document of a probe; it scrolls by itself, and opens at the split. */
export function DocumentText(props: {
  document: Document;
  probe: Probe | undefined;
  complementCharacters: number;
  /** Where to show units, or nothing. */
  units: Units | undefined;
}) {
  const { document, probe, complementCharacters, units } = props;
  const text = document.doc;
  const pane = useRef<HTMLElement>(null);
  const mark = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!pane.current) return;
    const from = mark.current ? mark.current.offsetTop - pane.current.offsetTop : 0;
    pane.current.scrollTop = from - pane.current.clientHeight / 2;
  }, [probe?.probe_id]);
  const segments = probe && segmentsOf(text, probe, complementCharacters);
  const marks = units ? marksOf(text, units) : [];
  const splitAfter = probe?.target === "suffix" ? 1 : 2;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the pane scrolls by keyboard, too
    <section class="document" ref={pane} tabIndex={0} aria-label="Document">
      <div class="text" dir="auto">
        {!segments && <Marked text={text} start={0} end={text.length} marks={marks} />}
        {segments?.map(({ part, start, end }, number) => (
          <Span key={number} part={part} {...{ text, start, end, marks }}>
            {number === splitAfter && (
              <span class="split" ref={mark} role="img" aria-label="split" title="Split" />
            )}
          </Span>
        ))}
      </div>
    </section>
  );
}

const NAMES: Record<Part, string> = {
  complement: "Complement: what the answerer was shown",
  unseen: "Complement that the answerer was not shown",
  atom: "Atom: what the question asks for",
  rest: "The rest of the atom’s side, which the answerer was not shown",
};

interface SpanProps {
  text: string;
  start: number;
  end: number;
  marks: Mark[];
}

/** A span of the text, with the marks that are in it. */
function Marked({ text, start, end, marks }: SpanProps) {
  const inside = marks.filter(({ at }) => at >= start && at < end);
  return (
    <>
      <Text>{text.slice(start, inside[0]?.at ?? end)}</Text>
      {inside.map(({ at, name }, number) => (
        <Fragment key={at}>
          <span class="unit">{name}</span>
          <Text>{text.slice(at, inside[number + 1]?.at ?? end)}</Text>
        </Fragment>
      ))}
    </>
  );
}

function Span(props: SpanProps & { part: Part; children: ComponentChildren }) {
  const { part, children, ...span } = props;
  const shown = span.end > span.start && <Marked {...span} />;
  return (
    <>
      {part === "atom" ? (
        <mark class="atom" title={NAMES.atom}>
          {shown}
        </mark>
      ) : (
        <span class={part} title={NAMES[part]}>
          {shown}
        </span>
      )}
      {children}
    </>
  );
}
