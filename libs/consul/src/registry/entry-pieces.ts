/** The byte ranges of the elements of a list. */
export interface Pieces {
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

interface Shape {
  readonly open: string;
  /** The beginning of every element. */
  readonly element: string;
  /** The end of an element, and the separator between two. */
  readonly end: string;
  readonly gap: string;
}

/** The format of a normal agent, and the indented one of an agent in development mode. */
const SHAPES: readonly Shape[] = [
  { open: '[', element: '{"Node":{"ID":', end: '}', gap: ',' },
  {
    open: '[\n    ',
    element: '{\n        "Node": {\n            "ID":',
    end: '\n    }',
    gap: ',\n    ',
  },
];

/**
 * Splits a list of `/v1/health/service` without parsing it. Every element begins with its node; the bytes between two
 * elements cannot occur within a string, where quotes are escaped.
 *
 * @returns undefined for any other format, which has to be parsed as a whole
 */
export function splitEntries(body: Buffer): Pieces | undefined {
  const shape = SHAPES.find(({ open, element }) => begins(body, open + element));
  const last = body.lastIndexOf(']');
  if (
    !shape ||
    body
      .subarray(last + 1)
      .toString('latin1')
      .trim() !== ''
  )
    return undefined;
  const { open, element, end, gap } = shape;
  const between = Buffer.from(end + gap + element, 'latin1');
  const starts = [open.length];
  const ends: number[] = [];
  for (let at = body.indexOf(between); at >= 0; at = body.indexOf(between, at + between.length)) {
    ends.push(at + end.length);
    starts.push(at + end.length + gap.length);
  }
  ends.push(body.lastIndexOf(end, last) + end.length);
  return { starts: Uint32Array.from(starts), ends: Uint32Array.from(ends) };
}

function begins(body: Buffer, text: string): boolean {
  return body.subarray(0, text.length).equals(Buffer.from(text, 'latin1'));
}
