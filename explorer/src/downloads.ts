// Files that the page makes.

/** Let the browser save a text as a file. */
export function download(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Spreadsheets take a text with one of these first characters for a formula. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/** Rows as CSV; an apostrophe keeps spreadsheets from taking a text for a formula. */
export function csvOf(names: string[], rows: string[][]): string {
  const line = (row: string[]): string =>
    row
      .map((text) => (FORMULA.test(text) ? `'${text}` : text))
      .map((text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text))
      .join();
  return [names, ...rows].map((row) => `${line(row)}\n`).join("");
}
