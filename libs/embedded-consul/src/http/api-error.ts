/** An error response of Consul: a status with a plain text. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    text: string,
    /** Errors of the servers, not of the agent, carry `X-Consul-Index: 1`. */
    readonly fromServers = false,
  ) {
    super(text);
  }
}

export const badRequest = (text: string): ApiError => new ApiError(400, text);
export const serverError = (text: string): ApiError => new ApiError(500, text);
/** An error of a read that the servers answered. */
export const readError = (text: string): ApiError => new ApiError(500, text, true);
export const permissionDenied = (): ApiError => new ApiError(403, 'Permission denied');
