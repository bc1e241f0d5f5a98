import { z } from 'zod';

/** What can be changed while the storefront runs: the keys below `config/application/` and `config/storefront/`. */
export const settings = {
  name: 'storefront',
  schema: z.object({
    /** Percent off every price. */
    discount: z.number().min(0).max(90).default(0),
  }),
};
