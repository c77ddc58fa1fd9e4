// MD5, by which the warehouse identifies answers and texts; browsers have no function for it.

const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const CONSTANTS = Array.from({ length: 64 }, (_, i) =>
  Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1))),
);

/** MD5 of a text's UTF-8 bytes, in hexadecimal digits, as DuckDB's `md5`. */
export function md5(text: string): string {
  const bytes = new TextEncoder().encode(text);
  const padded = new DataView(new ArrayBuffer((((bytes.length + 8) >> 6) + 1) << 6));
  new Uint8Array(padded.buffer).set(bytes);
  padded.setUint8(bytes.length, 0x80);
  padded.setBigUint64(padded.byteLength - 8, BigInt(bytes.length) * 8n, true);
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  for (let block = 0; block < padded.byteLength; block += 64) {
    let [a, b, c, d] = state as [number, number, number, number];
    for (let i = 0; i < 64; i++) {
      const round = i >> 4;
      const mixed = [(b & c) | (~b & d), (d & b) | (~d & c), b ^ c ^ d, c ^ (b | ~d)][round]!;
      const word = [i, 5 * i + 1, 3 * i + 5, 7 * i][round]! % 16;
      const sum = (a + mixed + CONSTANTS[i]! + padded.getUint32(block + 4 * word, true)) | 0;
      const shift = SHIFTS[4 * round + (i % 4)]!;
      [a, d, c, b] = [d, c, b, (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0];
    }
    for (const [i, value] of [a, b, c, d].entries()) state[i] = (state[i]! + value) | 0;
  }
  const digest = new DataView(new ArrayBuffer(16));
  for (const [i, value] of state.entries()) digest.setUint32(4 * i, value, true);
  return [...new Uint8Array(digest.buffer)]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
