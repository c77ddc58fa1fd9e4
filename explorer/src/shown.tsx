// Small parts that several views share.
import type { ComponentChildren } from "preact";
import { useContext, useState } from "preact/hooks";
import { Blind } from "./blind";
import type { Loaded } from "./loading";
import type { Meanings } from "./meanings";
import { bandOf, UNSCORED } from "./probes";
import { codePointName, runsOf } from "./text";

/** Longer texts are shown up to here until one asks for all of it. */
const LONG = 20_000;

/** A text from outside: never markup; what would not be seen or would reorder it is named. */
export function Text({ children }: { children: string }) {
  const [whole, setWhole] = useState(false);
  const shown = whole || children.length <= LONG ? children : children.slice(0, LONG);
  const runs = runsOf(shown);
  return (
    <>
      {runs.map((run, number) =>
        run.control ? (
          <span class="control" key={number}>
            {codePointName(run.text)}
          </span>
        ) : (
          run.text
        ),
      )}
      {shown.length < children.length && (
        <button type="button" class="more" onClick={() => setWhole(true)}>
          Show all {count(children.length)} characters
        </button>
      )}
    </>
  );
}

/** A paragraph of a text from outside, in the direction of its own letters. */
export function Passage({ children, class: name = "" }: { children: string; class?: string }) {
  return (
    <p dir="auto" class={`passage ${name}`}>
      <Text>{children}</Text>
    </p>
  );
}

/** A score from 0 to 1 as number, in the color of its band, unless scores are hidden. */
export function Score({ value }: { value: number | null }) {
  if (useContext(Blind)) return <span class="score" />;
  const hundredths = value === null ? UNSCORED : Math.round(100 * value);
  return (
    <span class={`score ${bandOf(hundredths)}`}>{value === null ? "–" : value.toFixed(2)}</span>
  );
}

/** Answers with their scores. */
export function AnswerList({ answers, scores }: { answers: string[]; scores: number[] }) {
  return (
    <ol>
      {answers.map((answer, number) => (
        <li key={number}>
          <Score value={scores[number] ?? null} />
          <Passage>{answer}</Passage>
        </li>
      ))}
    </ol>
  );
}

/** SQL that gives what is shown beside it, for DuckDB in the folder of the data set. */
export function Sql({ query, of }: { query: string; of: string }) {
  return (
    <details class="sql">
      <summary aria-label={`SQL of ${of}`}>SQL</summary>
      <div class="sheet">
        <pre>{query}</pre>
        <CopyButton text={query} />
      </div>
    </details>
  );
}

function CopyButton({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return (
    <button type="button" onClick={() => void copy()}>
      {copied ? "Copied" : "Copy"}
    </button>
  );
}

export function Failure({ children }: { children: string }) {
  return (
    <p class="failure" role="alert">
      <Text>{children}</Text>
    </p>
  );
}

/** The names of a probe's findings, unless scores are hidden: some tell what these are. */
export function FindingNames(props: { names: string[]; meanings?: Meanings }) {
  const { names, meanings } = props;
  if (useContext(Blind) || names.length === 0) return null;
  return (
    <span class="findings">
      {names.map((name) => (
        <span key={name} title={meanings?.of("finding", name)}>
          <Text>{name.replaceAll("_", " ")}</Text>
        </span>
      ))}
    </span>
  );
}

/** Move the focus to an element that has this id. */
export function focusOn(id: string): void {
  const target = document.getElementById(id);
  if (target) target.tabIndex = -1;
  target?.focus();
}

/** What is shown of a value once it is read. */
export function When<T>(props: { loaded: Loaded<T>; children: (value: T) => ComponentChildren }) {
  const { loaded, children } = props;
  if (loaded.state === "ready") return <>{children(loaded.value)}</>;
  if (loaded.state === "failed") {
    return <Failure>{loaded.message}</Failure>;
  }
  return (
    <p class="loading" role="status">
      Reading …
    </p>
  );
}

// Made once: toLocaleString makes one each time.
const SEPARATED = new Intl.NumberFormat("en");

/** A count with separators, such as 36,997. */
export const count = (n: number): string => SEPARATED.format(n);

/** A share in percent. */
export const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
