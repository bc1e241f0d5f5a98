/** An operation on a register, by one client, as the client saw it. Times are of one clock, in any unit. */
export interface Operation {
  readonly client: string;
  readonly call: number;
  /** When the response came; `Infinity`: none came, so that it may have taken effect at any time since, or not at all. */
  readonly end: number;
  readonly action:
    | { readonly type: 'read'; readonly value: string | undefined }
    | { readonly type: 'write'; readonly value: string }
    /** Sets it to `to` if it is `from`. `done` is undefined where no response came. */
    | {
        readonly type: 'compareAndSet';
        readonly from: string | undefined;
        readonly to: string;
        readonly done: boolean | undefined;
      };
}

/** The value after the operation, if it may take effect on a register with this value; undefined: it may not. */
export function applied(
  value: string | undefined,
  { action }: Operation,
): { value: string | undefined } | undefined {
  switch (action.type) {
    case 'read':
      return action.value === value ? { value } : undefined;
    case 'write':
      return { value: action.value };
    case 'compareAndSet': {
      const matches = action.from === value;
      if (action.done === false) return matches ? undefined : { value };
      return matches ? { value: action.to } : undefined;
    }
  }
}
