// A document as its probe sees it: complement, split, atom, and the rest.
import { useEffect, useRef } from "preact/hooks";
import type { Document, Probe } from "./documents";
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

/** The document of a probe; it scrolls by itself, and opens at the split. */
export function DocumentText(props: {
  document: Document;
  probe: Probe | undefined;
  complementCharacters: number;
}) {
  const { document, probe, complementCharacters } = props;
  const text = document.doc;
  const pane = useRef<HTMLElement>(null);
  const mark = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!pane.current) return;
    const from = mark.current ? mark.current.offsetTop - pane.current.offsetTop : 0;
    pane.current.scrollTop = from - pane.current.clientHeight / 2;
  }, [probe?.probe_id]);
  const segments = probe && segmentsOf(text, probe, complementCharacters);
  const splitAfter = probe?.target === "suffix" ? 1 : 2;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the pane scrolls by keyboard, too
    <section class="document" ref={pane} tabIndex={0} aria-label="Document">
      <div class="text" dir="auto">
        {!segments && <Text>{text}</Text>}
        {segments?.map(({ part, start, end }, number) => (
          <Span key={number} part={part} text={text.slice(start, end)}>
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

function Span(props: { part: Part; text: string; children: preact.ComponentChildren }) {
  const { part, text, children } = props;
  const shown = text && <Text>{text}</Text>;
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
