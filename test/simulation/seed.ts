/** Of every run that is not a test; `ROOKERY_SEED` replaces it. */
export const SEED = Number(process.env.ROOKERY_SEED ?? 20_251_121);
