// Pictures of the selection; each of them filters it.
import { useRef, useState } from "preact/hooks";
import { bandOf, type Facet } from "./probes";
import { BARS, type Bands, totalOf } from "./selection";
import { count, percent } from "./shown";

const WIDTH = 630;
const HEIGHT = 150;
const STEP = WIDTH / BARS;

interface HistogramProps {
  bars: number[];
  best: [number, number] | null;
  onSelect: (best: [number, number] | null) => void;
}

/** Best scores of probes in steps of 0.05. Drag over bars to select their scores. */
export function Histogram({ bars, best, onSelect }: HistogramProps) {
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const picture = useRef<SVGSVGElement>(null);
  const most = Math.max(1, ...bars);
  const chosen = drag ? rangeOf(...drag) : best;
  const barAt = (event: PointerEvent): number => {
    const { left, width } = picture.current!.getBoundingClientRect();
    return Math.min(BARS - 1, Math.max(0, Math.floor(((event.clientX - left) / width) * BARS)));
  };
  const start = (event: PointerEvent): void => {
    picture.current!.setPointerCapture(event.pointerId);
    setDrag([barAt(event), barAt(event)]);
  };
  const move = (event: PointerEvent): void => {
    if (drag) setDrag([drag[0], barAt(event)]);
  };
  const end = (): void => {
    if (!drag) return;
    const range = rangeOf(...drag);
    // A click on what is selected alone removes the filter.
    onSelect(best && best[0] === range[0] && best[1] === range[1] ? null : range);
    setDrag(null);
  };
  const total = bars.reduce((sum, n) => sum + n, 0);
  return (
    <figure class="histogram">
      <svg
        ref={picture}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Histogram of the best scores of ${count(total)} probes`}
        onPointerDown={start}
        onPointerMove={move}
        onPointerUp={end}
        onPointerCancel={() => setDrag(null)}
      >
        {bars.map((n, bar) => {
          const height = n === 0 ? 0 : Math.max(2, (n / most) * (HEIGHT - 4));
          const inside = !chosen || (bar * 5 >= chosen[0] && bar * 5 <= chosen[1]);
          return (
            <g key={bar} class={`${bandOf(bar * 5)} ${inside ? "" : "outside"}`}>
              <title>{`${(bar / 20).toFixed(2)}: ${count(n)}`}</title>
              <rect class="catch" x={bar * STEP} y={0} width={STEP} height={HEIGHT} />
              <rect x={bar * STEP + 1.5} y={HEIGHT - height} width={STEP - 3} height={height} />
            </g>
          );
        })}
      </svg>
      <div class="axis" aria-hidden="true">
        {[0, 4, 8, 12, 16, 20].map((bar) => (
          <span key={bar} class={`at-${bar}`}>
            {(bar / 20).toFixed(1)}
          </span>
        ))}
      </div>
    </figure>
  );
}

/** Bars as a range of scores in hundredths: a bar holds all scores up to the next one. */
function rangeOf(one: number, other: number): [number, number] {
  const last = Math.max(one, other);
  return [Math.min(one, other) * 5, last === BARS - 1 ? 100 : last * 5 + 4];
}

interface FacetListProps {
  name: Facet | "round" | "finding";
  title: string;
  values: string[];
  bands: Bands[];
  chosen: string[];
  /** Whether the share of HARD says something: not of probes that were selected by score. */
  showsShare: boolean;
  meaning: (value: string) => string | undefined;
  onToggle: (value: string) => void;
}

/** The values of a facet with their probes by band; a click filters by one. */
export function FacetList(props: FacetListProps) {
  const { name, title, values, bands, chosen, showsShare, meaning, onToggle } = props;
  const most = Math.max(1, ...bands.map(totalOf));
  return (
    <section class="facet" aria-labelledby={`facet-${name}`}>
      <h3 id={`facet-${name}`}>{title}</h3>
      <ul>
        {values.map((value, number) => {
          const of = bands[number]!;
          const scored = of.hard + of.middle + of.easy;
          return (
            <li key={value}>
              <button
                type="button"
                aria-pressed={chosen.includes(value)}
                class={chosen.length > 0 && !chosen.includes(value) ? "outside" : ""}
                title={meaning(value)}
                onClick={() => onToggle(value)}
              >
                <span class="value">{value.replaceAll("_", " ")}</span>
                <span class="hard-share">
                  {showsShare && scored > 0 && (
                    <>
                      {percent(of.hard / scored)} <span>HARD</span>
                    </>
                  )}
                </span>
                <span class="number">{count(totalOf(of))}</span>
                <BandBar bands={of} most={most} />
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** One bar, as long as its share of `most`, cut by band. */
function BandBar({ bands, most }: { bands: Bands; most: number }) {
  let x = 0;
  return (
    <svg class="bands" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      {(["hard", "middle", "easy", "unscored"] as const).map((band) => {
        const width = (100 * bands[band]) / most;
        x += width;
        return <rect key={band} class={band} x={x - width} y={0} width={width} height={4} />;
      })}
    </svg>
  );
}

/** An estimate with its interval on an axis that has zero in the middle. */
export function Interval(props: {
  low: number;
  value: number;
  high: number;
  from: number;
  to: number;
}) {
  const { low, value, high, from, to } = props;
  const x = (at: number): number => (120 * (Math.min(to, Math.max(from, at)) - from)) / (to - from);
  return (
    <svg class="interval" viewBox="0 0 120 12" aria-hidden="true">
      <line class="zero" x1={x(0)} x2={x(0)} y1={0} y2={12} />
      <line x1={x(low)} x2={x(high)} y1={6} y2={6} />
      <circle cx={x(value)} cy={6} r={3} />
    </svg>
  );
}
