// A table of a view.
import type { ComponentChildren } from "preact";

/** A table; columns in `numbers` are numbers. */
export function Table(props: { names: string[]; rows: ComponentChildren[][]; numbers: number[] }) {
  const { names, rows, numbers } = props;
  const kindOf = (column: number): string => (numbers.includes(column) ? "numeric" : "");
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table scrolls by keyboard, too
    <section class="table" tabIndex={0} aria-label={`Table of ${names[0]}`}>
      <table>
        <thead>
          <tr>
            {names.map((name, column) => (
              <th key={name + String(column)} scope="col" class={kindOf(column)}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((cells, number) => (
            <tr key={number}>
              {cells.map((cell, column) => (
                <td key={names[column]! + String(column)} class={kindOf(column)}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
