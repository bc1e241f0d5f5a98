import { Component, type ComponentType } from 'preact';
import { html, type Node } from './html.js';

/** A component that is drawn again only when one of its properties is another one. */
export function memo<P extends object>(render: (props: P) => Node): ComponentType<P> {
  return class extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      return Object.keys(next).some((name) => next[name as keyof P] !== this.props[name as keyof P]);
    }

    override render() {
      // As a component of its own, so that it can have hooks.
      return html`<${render} ...${this.props} />`;
    }
  };
}
