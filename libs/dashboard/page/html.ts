import htm from 'htm';
import { h, type VNode } from 'preact';

export type Node = VNode | string | number | null | undefined | false | readonly Node[];

/** Markup in templates: it needs no compiler. */
export const html = htm.bind(h) as unknown as (strings: TemplateStringsArray, ...values: unknown[]) => VNode;
