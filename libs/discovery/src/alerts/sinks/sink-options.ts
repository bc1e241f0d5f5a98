import { z } from 'zod';
import { httpUrl } from './post-json.js';

/** The value of a URL that is wrong is not shown: it may hold a secret. */
export function urlSchema(example: string): z.ZodType<string> {
  return z.custom<string>((url) => typeof url === 'string' && isHttp(url), {
    error: `must be a URL of http or https, such as '${example}'`,
  });
}

export const headersSchema = z.record(z.string(), z.string(), {
  error: "must be an object such as { authorization: 'Bearer …' }",
});

function isHttp(url: string): boolean {
  try {
    httpUrl(url);
    return true;
  } catch {
    return false;
  }
}
