import type { CallReport } from '../calling/options/call-options.js';

// Apart, since the declarations that axios has for CommonJS cannot be added to here: that build has an empty file instead.
declare module 'axios' {
  // The name and the type parameters have to be those of axios's own declaration, to merge with it.
  export interface AxiosError {
    /** Each attempt of this call, with the reason of its failure. Set by Rookery's service clients. */
    call?: CallReport;
  }
}
