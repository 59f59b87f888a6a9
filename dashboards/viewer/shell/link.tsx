import type { ComponentChildren, JSX } from 'preact';
import { isPlainClick, navigate } from './location.ts';

/** A link within the viewer that does not reload the page. */
export function Link(props: {
  href: string;
  children: ComponentChildren;
  class?: string;
  title?: string;
  current?: boolean;
}): JSX.Element {
  return (
    <a
      href={props.href}
      class={props.class}
      title={props.title}
      aria-current={props.current ? 'page' : undefined}
      onClick={(event) => {
        if (!isPlainClick(event)) return;
        event.preventDefault();
        navigate(props.href);
      }}
    >
      {props.children}
    </a>
  );
}
